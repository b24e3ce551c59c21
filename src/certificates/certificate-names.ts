import { isIP, isIPv6 } from 'node:net'
import { GeneralName } from './x509-library.js'

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?'
/** The last label is no number, or it would be half an address. */
const NAME = new RegExp(`^(?:\\*\\.)?(?:${LABEL}\\.)*(?!\\d+$)${LABEL}$`, 'i')

/** A name or an address that a certificate can be for. */
export function isHost(text: string): boolean {
  return (isIP(text) !== 0 && !text.includes('%')) || (text.length <= 253 && NAME.test(text))
}

export function alternativeNameOf(host: string): string {
  return isIP(host) === 0 ? `DNS:${host}` : `IP:${host}`
}

/** As it stands in a URL. */
export function inUrl(host: string): string {
  return isIPv6(host) ? `[${host}]` : host
}

const NAME_TYPES = { DNS: 'dns', IP: 'ip', URI: 'url', email: 'email' } as const

/** The library's form of `DNS:localhost`, `IP:127.0.0.1`, `URI:https://…` or `email:…`. */
export function alternativeName(name: string): GeneralName {
  const [, type = '', value = ''] = /^(DNS|IP|URI|email):(.+)$/.exec(name) ?? []
  if (!isNameType(type)) throw new TypeError(`${name} is no alternative name`)
  return new GeneralName(NAME_TYPES[type], type === 'IP' ? canonical(value) : value)
}

/** The library takes the dotted end of an IPv6 address for something else. */
function canonical(address: string): string {
  return isIPv6(address) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address
}

function isNameType(type: string): type is keyof typeof NAME_TYPES {
  return Object.hasOwn(NAME_TYPES, type)
}
