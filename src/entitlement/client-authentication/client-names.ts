import type { X509Certificate } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import {
  type Attribute,
  type ClientName,
  type RelativeName,
  readRelativeNames,
  spellAlternativeName,
} from '../../config/client-name-syntax.js'

/** Whether the certificate has one of the names. */
export function hasName(certificate: X509Certificate, names: readonly ClientName[]): boolean {
  const subject = subjectOf(certificate)
  const alternatives = alternativeNamesOf(certificate)
  return names.some(name =>
    name.kind === 'alternative' ? alternatives.has(name.name) : hasSubject(subject, name.names),
  )
}

/**
 * A subject may have attributes beyond the entry's, but no further ones of the types that the entry names: an authority
 * that lets clients choose some attributes would otherwise let them pose as another client. Both orders are in use: the
 * certificate's, and the reversed one of RFC 4514.
 */
function hasSubject(subject: readonly RelativeName[], wanted: readonly RelativeName[]): boolean {
  const types = new Set(wanted.flat().map(typeOf))
  const found = subject.filter(name => name.some(attribute => types.has(typeOf(attribute)))).map(spelledName)
  const expected = wanted.map(spelledName)
  return isDeepStrictEqual(found, expected) || isDeepStrictEqual(found, expected.reverse())
}

const MAX_TEXT = 200

/** The subject in the form of an ENTITLEMENT_CLIENTS entry. */
export function subjectText(certificate: X509Certificate): string {
  const text = subjectOf(certificate)
    .map(name => name.map(([type, value]) => `${type}=${escaped(value)}`).join('+'))
    .join(',')
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
}

/**
 * In the certificate's order. Node writes one relative name per line, with the escapes of RFC 4514, so no value can
 * imitate another attribute. One unreadable line makes the whole subject unreadable.
 */
function subjectOf({ subject }: X509Certificate): readonly RelativeName[] {
  // Node returns `undefined` for an empty subject, although its type does not say so.
  const lines = (subject ?? '').split('\n').filter(line => line !== '')
  const names = lines.map(readRelativeNames)
  return names.every(name => name?.length === 1) ? names.flatMap(name => name ?? []) : []
}

/** The notation of people and of OpenSSL. */
const OTHER_TYPES: Readonly<Record<string, string>> = { e: 'emailaddress', email: 'emailaddress', s: 'st' }

function typeOf([type]: Attribute): string {
  const lower = type.toLowerCase()
  return OTHER_TYPES[lower] ?? lower
}

/** The attributes of one relative name have no order. */
function spelledName(name: RelativeName): string[] {
  return name.map(attribute => `${typeOf(attribute)}=${attribute[1]}`).sort()
}

function escaped(value: string): string {
  return value.replace(/[,+"\\<>;=]|^[ #]| $/g, character => `\\${character}`)
}

const ALTERNATIVE = /([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y

/**
 * Parses OpenSSL's text of the extension. A value with a comma or a quote is quoted, so one value cannot pass for two.
 * Any other syntax makes the whole extension unreadable.
 */
function alternativeNamesOf({ subjectAltName }: X509Certificate): ReadonlySet<string> {
  const names = new Set<string>()
  // Node returns `null` for an unreadable extension, although its type does not say so.
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
