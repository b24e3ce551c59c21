import type { X509Certificate } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import {
  type Attribute,
  type ClientName,
  type RelativeName,
  readRelativeNames,
  spellAlternativeName,
} from '../../config/client-name-syntax.js'

/** Whether a certificate has one of the names. */
export function hasName(certificate: X509Certificate, names: readonly ClientName[]): boolean {
  const subject = subjectOf(certificate)
  const alternatives = alternativeNamesOf(certificate)
  return names.some(name =>
    name.kind === 'alternative' ? alternatives.has(name.name) : hasSubject(subject, name.names),
  )
}

/**
 * A subject may have more than the entry says, but nothing more of the types that the entry names: else an authority
 * that lets its clients choose some attributes would let them choose to be somebody else. Both orders are in use: that
 * of the certificate, and that of RFC 4514, which begins at its end.
 */
function hasSubject(subject: readonly RelativeName[], wanted: readonly RelativeName[]): boolean {
  const types = new Set(wanted.flat().map(typeOf))
  const found = subject.filter(name => name.some(attribute => types.has(typeOf(attribute)))).map(spelledName)
  const expected = wanted.map(spelledName)
  return isDeepStrictEqual(found, expected) || isDeepStrictEqual(found, expected.reverse())
}

const LONGEST_TEXT = 200

/** The subject as an entry of ENTITLEMENT_CLIENTS says it. */
export function subjectText(certificate: X509Certificate): string {
  const text = subjectOf(certificate)
    .map(name => name.map(([type, value]) => `${type}=${escaped(value)}`).join('+'))
    .join(',')
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text
}

/**
 * In the certificate's order. Node writes a relative name in each line, with the escapes of RFC 4514, so nothing in a
 * value can pass for another attribute. Where a line cannot be read there are no names at all.
 */
function subjectOf({ subject }: X509Certificate): readonly RelativeName[] {
  // Node has `undefined` for an empty subject, whatever its type says.
  const lines = (subject ?? '').split('\n').filter(line => line !== '')
  const names = lines.map(readRelativeNames)
  return names.every(name => name?.length === 1) ? names.flatMap(name => name ?? []) : []
}

/** As people write it, and as OpenSSL does. */
const OTHER_TYPES: Readonly<Record<string, string>> = { e: 'emailaddress', email: 'emailaddress', s: 'st' }

function typeOf([type]: Attribute): string {
  const lower = type.toLowerCase()
  return OTHER_TYPES[lower] ?? lower
}

/** Attributes that belong together have no order. */
function spelledName(name: RelativeName): string[] {
  return name.map(attribute => `${typeOf(attribute)}=${attribute[1]}`).sort()
}

function escaped(value: string): string {
  return value.replace(/[,+"\\<>;=]|^[ #]| $/g, character => `\\${character}`)
}

const ALTERNATIVE = /([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y

/**
 * What OpenSSL shows of the extension, taken apart: a value with a comma or a quote in it stands in quotes, so that
 * none can pass for two. Where something else is found than that, there are no names at all.
 */
function alternativeNamesOf({ subjectAltName }: X509Certificate): ReadonlySet<string> {
  const names = new Set<string>()
  // Node has `null` for an extension that cannot be read, whatever its type says.
  const text = subjectAltName ?? ''
  for (let position = 0; position < text.length; ) {
    ALTERNATIVE.lastIndex = position
    const [all = '', type = '', value = ''] = ALTERNATIVE.exec(text) ?? []
    if (all === '') return new Set()
    const name = spellAlternativeName(
      type === 'IP Address' ? 'IP' : type,
      value.startsWith('"') ? unquoted(value) : value,
    )
    if (name !== undefined) names.add(name)
    position += all.length
  }
  return names
}

function unquoted(value: string): string {
  try {
    return String(JSON.parse(value))
  } catch {
    return ''
  }
}
