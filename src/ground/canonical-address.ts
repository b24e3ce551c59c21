import { isIP, isIPv4, SocketAddress } from 'node:net'

/** The one spelling of an IP address, whatever way it was written or came by; `undefined` when it is none. */
export function canonicalAddress(text: string): string | undefined {
  // A zone (fe80::1%eth0) says where this machine saw the address, not which it is.
  // Some proxies tell the port, too.
  const address = text.replace(/%.*$/s, '').replace(/^(\d+(?:\.\d+){3}):\d+$|^\[(.*)\](?::\d+)?$/, '$1$2')
  if (isIP(address) !== 6) return isIPv4(address) ? address : undefined
  const { address: canonical } = new SocketAddress({ address, family: 'ipv6' })
  // A socket that listens for both kinds shows IPv4 clients so.
  const mapped = canonical.replace(/^::ffff:/, '')
  return isIPv4(mapped) ? mapped : canonical
}
