import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** Whether a request may administer: it is let in, is to show the token, or must not learn that there is anything. */
export type Admission = 'admitted' | 'unauthorized' | 'hidden'
export type AdminAccess = (request: Pick<IncomingMessage, 'headers' | 'socket'>) => Admission

/**
 * Who may administer. With a token, whoever shows it. Without one nobody may, and `undefined` says so; only an
 * emulator, which guards nothing of value, then serves those who sit at the same machine.
 */
export function adminAccess(token: string | undefined, isEmulator: boolean): AdminAccess | undefined {
  if (token !== undefined) return holdersOf(token)
  return isEmulator ? request => (isOfThisMachine(request) ? 'admitted' : 'hidden') : undefined
}

function holdersOf(token: string): AdminAccess {
  const expected = digest(token)
  return ({ headers }) => {
    const [, given] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? []
    // Of digests, because the comparison needs equal lengths and would tell the token's.
    return given !== undefined && timingSafeEqual(digest(given), expected) ? 'admitted' : 'unauthorized'
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

const LOOPBACK_ADDRESS = /^(?:127\.|::1$|::ffff:127\.)/
const LOOPBACK_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i
const OF_A_PROXY = /^(?:forwarded|x-forwarded-.*|x-real-ip|via)$/

/**
 * A connection from this machine is not enough. A reverse proxy beside the server passes the whole world on: it is
 * known by its headers. A web page in a browser on this machine can send requests here: by a name of its own that
 * resolves to 127.0.0.1 (DNS rebinding), then the Host header has that name; or straight across sites, then Origin
 * has the page's.
 */
function isOfThisMachine({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>): boolean {
  return (
    LOOPBACK_ADDRESS.test(socket.remoteAddress ?? '') &&
    LOOPBACK_HOST.test(headers.host ?? '') &&
    !Object.keys(headers).some(name => OF_A_PROXY.test(name)) &&
    isFromNoOtherSite(headers)
  )
}

function isFromNoOtherSite({ origin, host }: IncomingHttpHeaders): boolean {
  return origin === undefined || origin.toLowerCase() === `http://${host?.toLowerCase()}`
}
