import { BlockList, isIP, isIPv4, SocketAddress } from 'node:net'

/** The canonical spelling of an IP address; `undefined` for any other text. */
export function canonicalAddress(text: string): string | undefined {
  // A zone (fe80::1%eth0) says where this machine saw the address, not which it is.
  // Some proxies add the port.
  const address = text.replace(/%.*$/s, '').replace(/^(\d+(?:\.\d+){3}):\d+$|^\[(.*)\](?::\d+)?$/, '$1$2')
  if (isIP(address) !== 6) return isIPv4(address) ? address : undefined
  const { address: canonical } = new SocketAddress({ address, family: 'ipv6' })
  // A dual-stack socket shows IPv4 clients like this.
  const mapped = canonical.replace(/^::ffff:/, '')
  return isIPv4(mapped) ? mapped : canonical
}

/** Addresses and networks, as settings name them: `10.0.0.1`, `10.0.0.0/8`. */
export class AddressList {
  readonly #list = new BlockList()
  readonly #isEmpty: boolean

  constructor(networks: readonly string[]) {
    this.#isEmpty = networks.length === 0
    for (const network of networks) {
      const [address = '', prefix] = network.split('/')
      const family = isIPv4(address) ? 'ipv4' : 'ipv6'
      if (prefix === undefined) this.#list.addAddress(address, family)
      else this.#list.addSubnet(address, Number(prefix), family)
    }
  }

  has(address = ''): boolean {
    if (this.#isEmpty) return false
    const canonical = canonicalAddress(address)
    return canonical !== undefined && this.#list.check(canonical, isIPv4(canonical) ? 'ipv4' : 'ipv6')
  }
}

/**
 * The network whose requests are counted together: an IPv4 address, or the 64 bits of an IPv6 address that one
 * customer of a network provider has. Anything else, such as `unknown` from a proxy, is one network.
 * The result never is a slice of the given text, which would keep a whole header in memory.
 */
export function networkOf(text: string): number | string {
  const address = canonicalAddress(text)
  if (address === undefined) return 'unknown'
  return address.includes(':') ? prefixOf(address) : address.split('.').reduce((bits, byte) => bits * 256 + +byte, 0)
}

function prefixOf(address: string): string {
  const [head = '', tail] = address.split('::')
  const groups = [head, tail].map(part => (part ? part.split(':') : []))
  const [before = [], after = []] = groups
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0')
  const whole = [...before, ...zeros, ...after]
  return whole
    .slice(0, 4)
    .map(group => Number.parseInt(group, 16).toString(16))
    .join(':')
}
