import type { Dispatcher, Pool } from 'undici'
import type { UpstreamSettings } from '../config/settings-upstream.js'
import { keptConnections, requestUntil } from '../connections/kept-connections.js'
import { type NoTurn, WaitingLine } from '../connections/waiting-line.js'
import { LicenceFailure, licenceFailure } from './licence-failure.js'

export type LicenceServerSettings = Pick<UpstreamSettings, 'connections' | 'queue' | 'connectTimeout' | 'timeout'>

/** What is sent there, each exactly once. */
export interface SentKeyRequest {
  readonly path: string
  readonly headers: string[]
  readonly body: Buffer
  /** Whose request it is. */
  readonly network: number | string
  /** Aborted, with a LicenceFailure, when nobody waits for the answer any more. */
  readonly gone: AbortSignal
}

/** An answer whose body is still under way. */
export interface LicenceServerAnswer {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: Dispatcher.ResponseData['body']
}

/** So much of the places anybody may have: those who keep them busy shall not have all. */
const LARGEST_SHARE = 0.25
/** The whole of an answer's body, in milliseconds: longer, and somebody keeps a place for its own sake. */
const LONGEST_BODY = 60_000

/** One licence server. Its connections are its own, so that neither tokens nor other servers wait for it. */
export class LicenceServer {
  readonly #settings: LicenceServerSettings
  readonly #line: WaitingLine
  readonly #pool: Pool

  constructor(origin: string, settings: LicenceServerSettings) {
    const { connections, connectTimeout, timeout } = settings
    this.#settings = settings
    this.#line = new WaitingLine(connections, settings.queue, noTurn, Math.ceil(connections * LARGEST_SHARE))
    this.#pool = keptConnections(origin, { connections, connectTimeout, bodyTimeout: timeout })
  }

  /** Throws a LicenceFailure where no answer begins. */
  async send(request: SentKeyRequest): Promise<LicenceServerAnswer> {
    const { network } = request
    const deadline = performance.now() + this.#settings.timeout
    await this.#line.enter(this.#settings.timeout, request.gone, network)
    try {
      const limit = new TimeLimit(deadline - performance.now())
      const answer = await this.#answer(request, limit)
      const over = () => {
        limit.end()
        this.#line.leave(network)
      }
      if (answer.body.closed) over()
      else answer.body.once('close', over)
      return answer
    } catch (error) {
      this.#line.leave(network)
      throw error
    }
  }

  /** For when nothing is under way. */
  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  async #answer({ path, headers, body, gone }: SentKeyRequest, limit: TimeLimit): Promise<LicenceServerAnswer> {
    const signal = AbortSignal.any([gone, limit.signal])
    try {
      signal.throwIfAborted()
      const request = { method: 'POST', path, headers, body, responseHeaders: 'raw' } as const
      const answer = await requestUntil(this.#pool, signal, request)
      // Whoever reads the body hears of it; nobody may.
      answer.body.on('error', () => {})
      // What breaks off before its first byte can still be told.
      await begun(answer.body)
      limit.restart(LONGEST_BODY)
      return { status: answer.statusCode, headers: asPairs(answer.headers), body: answer.body }
    } catch (error) {
      limit.end()
      throw licenceFailure(error)
    }
  }
}

function noTurn(why: NoTurn): LicenceFailure {
  return new LicenceFailure(why === 'line full' ? 'queue full' : 'not reached in time')
}

/** Ends what takes too long. */
class TimeLimit {
  readonly #controller = new AbortController()
  #timer: NodeJS.Timeout | undefined

  constructor(milliseconds: number) {
    this.restart(milliseconds)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  restart(milliseconds: number): void {
    this.end()
    const overtime = new LicenceFailure('timed out')
    this.#timer = setTimeout(() => this.#controller.abort(overtime), Math.max(1, milliseconds))
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

/** The first byte is there, or the body is over without any. */
function begun(body: LicenceServerAnswer['body']): Promise<void> {
  return new Promise((resolve, reject) => {
    body.once('readable', resolve).once('end', resolve).once('error', reject)
  })
}

function asPairs(headers: unknown): readonly string[] {
  return headers as string[] // what `responseHeaders: 'raw'` gives; undici's types tell of the other form alone
}
