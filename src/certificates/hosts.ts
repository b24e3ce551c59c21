import { isIP, isIPv6 } from 'node:net'

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
