import type { X509Certificate } from 'node:crypto'
import { canonicalAddress } from '../../tokens/address.js'

/** One entry of ENTITLEMENT_CLIENTS: a subject or an alternative name. */
export type ClientName = SubjectName | AlternativeName

interface SubjectName {
  readonly kind: 'subject'
  readonly attributes: readonly Attribute[]
}

interface AlternativeName {
  readonly kind: 'alternative'
  /** As `alternativeNamesOf` spells it. */
  readonly name: string
}

/** The type in lower case: `cn`. */
type Attribute = readonly [type: string, value: string]

/** `CN=player,O=Example` (RFC 4514), `DNS:…`, `URI:…`, `IP:…` or `email:…`; `undefined` when it is none of them. */
export function readClientName(text: string): ClientName | undefined {
  const [, type, value = ''] = /^(DNS|URI|IP|email):(\S+)$/.exec(text) ?? []
  if (type !== undefined) {
    const name = spelled(type, value)
    return name === undefined ? undefined : { kind: 'alternative', name }
  }
  const attributes = attributesOf(text)
  return attributes === undefined ? undefined : { kind: 'subject', attributes }
}

/** Whether a certificate has one of the names. Of a subject, everything that the entry says must be there. */
export function hasName(certificate: X509Certificate, names: readonly ClientName[]): boolean {
  const subject = new Set(subjectOf(certificate).map(spelledAttribute))
  const alternatives = alternativeNamesOf(certificate)
  return names.some(name =>
    name.kind === 'alternative'
      ? alternatives.has(name.name)
      : name.attributes.every(attribute => subject.has(spelledAttribute(attribute))),
  )
}

const LONGEST_TEXT = 200

/** The subject as an entry of ENTITLEMENT_CLIENTS says it. */
export function subjectText(certificate: X509Certificate): string {
  const text = subjectOf(certificate)
    .map(([type, value]) => `${type}=${escaped(value)}`)
    .join(',')
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text
}

/** Not from the subject's text, which has to be taken apart again. */
function subjectOf(certificate: X509Certificate): Attribute[] {
  if (!hasReadableKey(certificate)) return []
  // Whatever Node's type says: `undefined` when a value is no text, an array where a type comes several times.
  const subject: object = certificate.toLegacyObject().subject ?? {}
  return Object.entries(subject).flatMap(([type, values]) =>
    [values].flat().map((value): Attribute => [type, String(value)]),
  )
}

/** Without one Node 24 ends the process over `toLegacyObject`. */
function hasReadableKey(certificate: X509Certificate): boolean {
  try {
    return certificate.publicKey.type === 'public'
  } catch {
    return false
  }
}

/** As people write it, and as OpenSSL does. */
const OTHER_TYPES: Readonly<Record<string, string>> = { e: 'emailaddress', email: 'emailaddress', s: 'st' }

function spelledAttribute([type, value]: Attribute): string {
  const lower = type.toLowerCase()
  return `${OTHER_TYPES[lower] ?? lower}=${value}`
}

const ATTRIBUTE =
  /\s*([A-Za-z][A-Za-z\d-]*|\d+(?:\.\d+)+)\s*=\s*((?:\\[0-9A-Fa-f]{2}|\\[^0-9A-Fa-f]|[^\\,+;"<>])+)(?:[,+]|$)/y

function attributesOf(text: string): Attribute[] | undefined {
  const attributes: Attribute[] = []
  for (let position = 0; position < text.length; ) {
    ATTRIBUTE.lastIndex = position
    const [all = '', type = '', value = ''] = ATTRIBUTE.exec(text) ?? []
    if (all === '') return undefined
    attributes.push([type, unescaped(value.replace(/(?<!\\)\s+$/, ''))])
    position += all.length
  }
  return attributes.length === 0 || /(?<!\\)[,+]\s*$/.test(text) ? undefined : attributes
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
