import { isIP } from 'node:net'
import { isRealHost } from './real-hosts.js'

/** The name in a Host header or an origin, without the port and in lower case. */
export function hostnameIn(host: string): string {
  return host
    .toLowerCase()
    .replace(/^[a-z]+:\/\//, '')
    .replace(/:\d*$/, '')
}

/** `localhost`, 127.0.0.0/8 and `[::1]`: nobody else can be reached under these. */
export function isLoopbackName(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'))
}

/** Whether a server with this HOST can be reached from this machine only. */
export function isLoopbackAddress(host: string): boolean {
  return isLoopbackName(host.toLowerCase()) || host === '::1'
}

/**
 * Whether this may be a name that somebody else lets resolve to this machine (DNS rebinding). That takes a domain of
 * one's own: an address is none, nor is a name without a dot, and those of the real service and below `localhost` are
 * nobody else's.
 */
export function maybeRebound(hostname: string): boolean {
  if (hostname.startsWith('[') || isIP(hostname) !== 0 || !hostname.includes('.')) return false
  return !hostname.endsWith('.localhost') && !isRealHost(hostname)
}
