import { canonicalAddress } from '../ground/canonical-address.js'

/**
 * The network whose requests are counted together: an IPv4 address, or the 64 bits of an IPv6 address that one
 * customer of a network provider has for himself. What is no address, as a proxy may say, is one network of its own.
 * Never a part of the text that it was read from: that would keep a whole header in memory.
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
