import type { LookupFunction } from 'node:net'
import type { ConnectionOptions, SecureContext } from 'node:tls'
import { type Dispatcher, Pool } from 'undici'
import { sharedLookup } from './shared-lookup.js'

export interface KeptConnectionsParts {
  readonly connections: number
  /** Milliseconds, TLS among it. */
  readonly connectTimeout: number
  /** Bytes; without it there is no limit. */
  readonly largestAnswer?: number
  /** Milliseconds between two pieces of an answer's body, where no other clock runs for it. */
  readonly bodyTimeout?: number
  /** Without it names are looked up as by the rest of the system. */
  readonly lookup?: LookupFunction
  readonly tls?: Pick<ConnectionOptions, 'ca' | 'minVersion'> & {
    readonly secureContext?: SecureContext
    readonly maxCachedSessions?: number
  }
}

/** Connections to one host, which are kept: HTTP/1.1, and one request at a time on each. */
export function keptConnections(origin: string, parts: KeptConnectionsParts): Pool {
  const { connections, connectTimeout, largestAnswer, bodyTimeout = 0, lookup, tls } = parts
  return new Pool(origin, {
    connections,
    connectTimeout,
    // Else NODE_TLS_REJECT_UNAUTHORIZED could say otherwise.
    connect: { ...tls, rejectUnauthorized: true, lookup: sharedLookup(lookup) },
    pipelining: 1,
    allowH2: false,
    ...(largestAnswer !== undefined && { maxResponseSize: largestAnswer }),
    // Whoever asks has one time for all of it.
    headersTimeout: 0,
    bodyTimeout,
  })
}

/** As `request` of the pool, which does not notice its signal while it waits for a connection. */
export function requestUntil(
  pool: Pool,
  signal: AbortSignal,
  request: Omit<Dispatcher.RequestOptions, 'signal'>,
): Promise<Dispatcher.ResponseData> {
  return Promise.race([pool.request({ ...request, signal }), aborted(signal)])
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
