import { errors, type Pool } from 'undici'
import { z } from 'zod'
import type { UpstreamSettings } from '../config/settings-upstream.js'
import { errorWord } from '../connections/error-word.js'
import { keptConnections, requestUntil } from '../connections/kept-connections.js'
import { secondsIn } from '../connections/retry-after.js'
import { WaitingLine } from '../connections/waiting-line.js'
import { packageVersion } from '../ground/version.js'
import { noTurn, UpstreamFailure } from './failure.js'

export type RecordServerSettings = Pick<UpstreamSettings, 'connections' | 'queue' | 'connectTimeout' | 'timeout'>

/** An event of the real service's log (spec: records.md), as far as it is of interest. */
const record = z.object({
  // Kinds that we don't know are no fault.
  event: z.string(),
  event_id: z.int(),
  cookie: z.string().nullish(),
  device_id: z.string().nullish(),
})
const records = z.object({ events: z.array(record) })

export type UpstreamRecord = z.output<typeof record>

const PATH = '/cmiapi/getrecord/'
/** Many times what 32 events have. */
const LARGEST_ANSWER = 262_144

/** The real service's transaction log, which is looked up and never written: so asking is safe, but still bounded. */
export class RecordServer {
  readonly #timeout: number
  readonly #line: WaitingLine
  readonly #pool: Pool
  readonly #path: string

  constructor(url: URL, { connections, queue, connectTimeout, timeout }: RecordServerSettings) {
    this.#timeout = timeout
    this.#path = url.pathname.replace(/\/+$/, '') + PATH
    this.#line = new WaitingLine(connections, queue, noTurn)
    this.#pool = keptConnections(url.origin, { connections, connectTimeout, largestAnswer: LARGEST_ANSWER })
  }

  /** The newest events with this cookie; whatever else there is in the answer is none of them. */
  async withCookie(cookie: string, authenticator: string): Promise<readonly UpstreamRecord[]> {
    const overtime = new AbortController()
    const timer = setTimeout(() => overtime.abort(), this.#timeout)
    try {
      await this.#line.enter(this.#timeout)
      const ask = () => this.#ask(cookie, authenticator, overtime.signal)
      const { events } = await ask()
        .catch(failure => againIfLost(failure, ask))
        .finally(() => this.#line.leave())
      return events.filter(event => event.cookie === cookie)
    } finally {
      clearTimeout(timer)
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  async #ask(cookie: string, authenticator: string, signal: AbortSignal): Promise<z.output<typeof records>> {
    const query = new URLSearchParams({ customerAuthenticator: authenticator, cookie, errorFormat: 'json' })
    const headers = { accept: 'application/json', 'user-agent': `expressplay-token-backend/${packageVersion()}` }
    const { status, retryAfter, text } = await this.#send(`${this.#path}?${query}`, headers, signal)
    if (status !== 200) throw new UpstreamFailure(kindOf(status), { reason: `HTTP_${status}`, retryAfter })
    const read = records.safeParse(parsed(text))
    if (!read.success) throw new UpstreamFailure('no answer')
    return read.data
  }

  async #send(path: string, headers: Record<string, string>, signal: AbortSignal) {
    try {
      signal.throwIfAborted()
      const answer = await requestUntil(this.#pool, signal, { method: 'GET', path, headers })
      const text = await answer.body.text()
      return { status: answer.statusCode, retryAfter: secondsIn(answer.headers['retry-after']), text }
    } catch (error) {
      // Without its text, which may quote the path, and there the authenticator is.
      throw failureOf(error, signal)
    }
  }
}

/** A kept connection may just have been closed over there; to look up twice does no harm. */
function againIfLost<T>(failure: unknown, ask: () => Promise<T>): Promise<T> {
  if (failure instanceof UpstreamFailure && failure.kind === 'connection lost') return ask()
  throw failure
}

function kindOf(status: number) {
  if (status === 429) return 'too many requests'
  return status >= 300 && status < 500 ? 'not accepted' : 'no answer'
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function failureOf(error: unknown, { aborted }: AbortSignal): UpstreamFailure {
  const reason = errorWord(error)
  if (aborted) return new UpstreamFailure('timed out')
  if (reason === 'UND_ERR_RES_EXCEEDED_MAX_SIZE' || reason === 'UND_ERR_HEADERS_OVERFLOW')
    return new UpstreamFailure('too large', { reason })
  if (error instanceof errors.HTTPParserError) return new UpstreamFailure('no answer', { reason })
  if (/^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET)$/.test(reason)) return new UpstreamFailure('connection lost', { reason })
  return new UpstreamFailure('not reached', { reason })
}
