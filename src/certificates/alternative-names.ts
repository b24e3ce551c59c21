import { isIPv6 } from 'node:net'
import { GeneralName } from './library.js'

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
