import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { hostnameIn, isLoopbackName } from '../ground/local-hosts.js'

/** Whether a request may administer: it is let in, has to show the token (401), or is refused (403), and learns why. */
export type Admission = 'admitted' | { readonly unauthorized: string } | { readonly refused: string }
export type AdminAccess = (request: Pick<IncomingMessage, 'headers' | 'socket'>) => Admission

/**
 * Who may administer: with a token, every client that sends it. Without a token, administration is off (`undefined`), except
 * in an emulator, which guards nothing of value and serves clients on the same machine.
 */
export function adminAccess(
  token: string | undefined,
  isEmulator: boolean,
  hosts: readonly string[] = [],
): AdminAccess | undefined {
  if (token !== undefined) return holdersOf(token)
  return isEmulator ? thisMachine(new Set(hosts)) : undefined
}

function holdersOf(token: string): AdminAccess {
  const expected = digest(token)
  return ({ headers }) => {
    const { authorization } = headers
    if (authorization === undefined) return unauthorized('and this request has no Authorization header')
    const [, given] = /^Bearer +(\S+)$/i.exec(authorization) ?? []
    if (given === undefined) return unauthorized('and the Authorization header of this request is none such')
    // Of digests, because the comparison needs equal lengths and would reveal the token's.
    if (!timingSafeEqual(digest(given), expected)) return unauthorized('and this request has another token')
    return 'admitted'
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

export const LOOPBACK_ADDRESS = /^(?:127\.|::1$|::ffff:127\.)/
const OF_A_PROXY = /^(?:forwarded|x-forwarded-.*|x-real-ip|via)$/

/**
 * A connection from this machine is not enough. A reverse proxy beside the server passes the whole world on: it is
 * known by its headers. A web page in a browser on this machine can send requests here: by a name of its own that
 * resolves to 127.0.0.1 (DNS rebinding), then the Host header has that name; or straight across sites, then Origin
 * or Sec-Fetch-Site says so.
 */
function thisMachine(hosts: ReadonlySet<string>): AdminAccess {
  return ({ headers, socket }) => {
    if (!LOOPBACK_ADDRESS.test(socket.remoteAddress ?? '')) return refused('and this connection comes from another')
    const proxy = Object.keys(headers).find(name => OF_A_PROXY.test(name))
    if (proxy !== undefined) return refused(`and the header ${proxy} says that a proxy passed this request on`)
    const name = hostnameIn(headers.host ?? '')
    if (!isLoopbackName(name) && !hosts.has(name))
      return refused('under localhost, 127.0.0.1, [::1] and the names in ADMIN_HOSTS, and Host is none of these')
    if (!isFromNoOtherSite(headers, 'encrypted' in socket))
      return refused('and this request comes from a page of another site')
    return 'admitted'
  }
}

function unauthorized(reason: string): Admission {
  return { unauthorized: `Administration needs "Authorization: Bearer" with the ADMIN_TOKEN, ${reason}` }
}

function refused(reason: string): Admission {
  return { refused: `Without ADMIN_TOKEN administration is for this machine only, ${reason}` }
}

function isFromNoOtherSite({ origin, host, 'sec-fetch-site': site }: IncomingHttpHeaders, hasTls: boolean): boolean {
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
  return origin === undefined || origin.toLowerCase() === `http${hasTls ? 's' : ''}://${host?.toLowerCase()}`
}
