import { canonicalAddress } from '../ground/ip-addresses.js'

/** One entry of ENTITLEMENT_CLIENTS: a subject or an alternative name. */
export type ClientName = SubjectName | AlternativeName

interface SubjectName {
  readonly kind: 'subject'
  readonly names: readonly RelativeName[]
}

interface AlternativeName {
  readonly kind: 'alternative'
  /** As `spellAlternativeName` writes it. */
  readonly name: string
}

export type Attribute = readonly [type: string, value: string]

/** A relative distinguished name: `CN=player`, or several attributes that belong together, `CN=player+UID=7`. */
export type RelativeName = readonly Attribute[]

/** `CN=player,O=Example` (RFC 4514), `DNS:…`, `URI:…`, `IP:…` or `email:…`; `undefined` when it is none of them. */
export function readClientName(text: string): ClientName | undefined {
  const [, type, value = ''] = /^(DNS|URI|IP|email):(\S+)$/.exec(text) ?? []
  if (type !== undefined) {
    const name = spellAlternativeName(type, value)
    return name === undefined ? undefined : { kind: 'alternative', name }
  }
  const names = readRelativeNames(text)
  return names === undefined ? undefined : { kind: 'subject', names }
}

const ATTRIBUTE =
  /\s*([A-Za-z][A-Za-z\d-]*|\d+(?:\.\d+)+)\s*=\s*((?:\\[0-9A-Fa-f]{2}|\\[^0-9A-Fa-f]|[^\\,+;"<>])+)([,+]|$)/y

/** The names of a subject as RFC 4514 writes them; `undefined` for other text. */
export function readRelativeNames(text: string): RelativeName[] | undefined {
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

/** Equal names get one spelling, so that they can be compared; `undefined` for what cannot name a client. */
export function spellAlternativeName(type: string, value: string): string | undefined {
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
