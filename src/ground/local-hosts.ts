import { isIP } from 'node:net'
import { isRealHost } from './real-hosts.js'

/** The name in a Host header or an origin, without the port and in lower case. */
export function hostnameIn(host: string): string {
  return host
    .toLowerCase()
    .replace(/^[a-z]+:\/\//, '')
    .replace(/:\d*$/, '')
}

/** `localhost`, 127.0.0.0/8 and `[::1]`: names of this machine only. */
export function isLoopbackName(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'))
}

/** Whether a server with this HOST can be reached from this machine only. */
export function isLoopbackAddress(host: string): boolean {
  return isLoopbackName(host.toLowerCase()) || host === '::1'
}

/**
 * Whether this may be a name that an attacker resolves to this machine (DNS rebinding). That takes a domain of the
 * attacker's: not an address, a name without a dot, a name of the real service or one below `localhost`.
 */
export function maybeRebound(hostname: string): boolean {
  if (hostname.startsWith('[') || isIP(hostname) !== 0 || !hostname.includes('.')) return false
  return !hostname.endsWith('.localhost') && !isRealHost(hostname)
}
