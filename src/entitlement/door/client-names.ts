import type { X509Certificate } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { canonicalAddress } from '../../ground/canonical-address.js'

/** One entry of ENTITLEMENT_CLIENTS: a subject or an alternative name. */
export type ClientName = SubjectName | AlternativeName

interface SubjectName {
  readonly kind: 'subject'
  readonly names: readonly RelativeName[]
}

interface AlternativeName {
  readonly kind: 'alternative'
  /** As `alternativeNamesOf` spells it. */
  readonly name: string
}

/** The type in lower case: `cn`. */
type Attribute = readonly [type: string, value: string]

/** A relative distinguished name: `CN=player`, or several attributes that belong together, `CN=player+UID=7`. */
type RelativeName = readonly Attribute[]

/** `CN=player,O=Example` (RFC 4514), `DNS:…`, `URI:…`, `IP:…` or `email:…`; `undefined` when it is none of them. */
export function readClientName(text: string): ClientName | undefined {
  const [, type, value = ''] = /^(DNS|URI|IP|email):(\S+)$/.exec(text) ?? []
  if (type !== undefined) {
    const name = spelled(type, value)
    return name === undefined ? undefined : { kind: 'alternative', name }
  }
  const names = relativeNamesOf(text)
  return names === undefined ? undefined : { kind: 'subject', names }
}

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
  const names = lines.map(relativeNamesOf)
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

const ATTRIBUTE =
  /\s*([A-Za-z][A-Za-z\d-]*|\d+(?:\.\d+)+)\s*=\s*((?:\\[0-9A-Fa-f]{2}|\\[^0-9A-Fa-f]|[^\\,+;"<>])+)([,+]|$)/y

function relativeNamesOf(text: string): RelativeName[] | undefined {
  const names: RelativeName[] = []
  let attributes: Attribute[] = []
  for (let position = 0; position < text.length; ) {
    ATTRIBUTE.lastIndex = position
    const [all = '', type = '', value = '', separator] = ATTRIBUTE.exec(text) ?? []
    if (all === '') return undefined
    attributes.push([type, unescaped(value.replace(/(?<!\\)\s+$/, ''))])
    if (separator !== '+') names.push(attributes)
    if (separator !== '+') attributes = []
    position += all.length
  }
  return names.length === 0 || /(?<!\\)[,+]\s*$/.test(text) ? undefined : names
}

/** `\2C` is a byte of UTF-8, `\,` a character. */
function unescaped(value: string): string {
  return value.replace(/((?:\\[0-9A-Fa-f]{2})+)|\\(.)/gsu, (_all, bytes: string | undefined, character: string) =>
    bytes === undefined ? character : Buffer.from(bytes.replaceAll('\\', ''), 'hex').toString(),
  )
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
    const name = spelled(type === 'IP Address' ? 'IP' : type, value.startsWith('"') ? unquoted(value) : value)
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

/** The one spelling of names that are the same; `undefined` for what is no name of a client. */
function spelled(type: string, value: string): string | undefined {
  if (value === '') return undefined
  switch (type) {
    case 'DNS':
      return `DNS:${value.toLowerCase()}`
    case 'IP': {
      const address = canonicalAddress(value)
      return address === undefined ? undefined : `IP:${address}`
    }
    case 'URI':
    case 'email':
      return `${type}:${value}`
    default:
      return undefined
  }
}
