import { BlockList, isIPv4 } from 'node:net'
import { canonicalAddress } from './canonical-address.js'

/** Addresses and networks, as settings name them: `10.0.0.1`, `10.0.0.0/8`. */
export class AddressList {
  readonly #list = new BlockList()

  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', prefix] = network.split('/')
      const family = isIPv4(address) ? 'ipv4' : 'ipv6'
      if (prefix === undefined) this.#list.addAddress(address, family)
      else this.#list.addSubnet(address, Number(prefix), family)
    }
  }

  has(address = ''): boolean {
    const canonical = canonicalAddress(address)
    return canonical !== undefined && this.#list.check(canonical, isIPv4(canonical) ? 'ipv4' : 'ipv6')
  }
}
