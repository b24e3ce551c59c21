import { StatusError } from '../errors/public-error.js'
import type { Clock } from '../ground/clock.js'
import { InFlight } from '../ground/in-flight.js'
import type { RequestTrace } from '../ground/request-trace.js'

/** How long new requests wait for those at work before they are let in again: one at work may itself wait for a new one. */
const ATTEMPT_MS = 500
const PAUSE_MS = 50
const ATTEMPTS = 20

/**
 * Lets a reset or a restore run while no request is at work, so that every request comes wholly before or wholly after
 * it. New requests wait meanwhile. A request that only waits, such as one that a fault holds up, leaves the gate first.
 */
export class RequestGate {
  readonly #clock: Clock
  readonly #inside = new InFlight()
  #turn = 0
  /** Resolves when new requests may enter. */
  #opened: Promise<void> | undefined
  #lastTurn: Promise<unknown> = Promise.resolve()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How often everything was changed so far. */
  get turn(): number {
    return this.#turn
  }

  /** Counts a request as at work. Where it has to wait for that, a promise. */
  enter(request: RequestTrace): Promise<void> | undefined {
    if (request.isAtWork) return undefined
    if (this.#opened !== undefined) return this.#enterLater(request)
    request.isAtWork = true
    this.#inside.begin()
    return undefined
  }

  leave(request: RequestTrace): void {
    if (!request.isAtWork) return
    request.isAtWork = false
    this.#inside.end()
  }

  /** Runs the work while no request is inside. One work runs after the other. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(() => this.#takeTurn(work))
    this.#lastTurn = turn.catch(() => {})
    return turn
  }

  async #enterLater(request: RequestTrace): Promise<void> {
    while (this.#opened !== undefined) await this.#opened
    this.enter(request)
  }

  async #takeTurn<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const open = this.#close()
      try {
        if (await this.#becomesIdle()) return await work()
      } finally {
        this.#turn += 1
        open()
      }
      await this.#clock.sleep(PAUSE_MS)
    }
    throw new StatusError(503, 'Requests are still being answered, and nothing was changed: try again')
  }

  #close(): () => void {
    let open = () => {}
    this.#opened = new Promise(resolve => {
      open = () => {
        this.#opened = undefined
        resolve()
      }
    })
    return open
  }

  async #becomesIdle(): Promise<boolean> {
    const ending = new AbortController()
    const idle = this.#inside.idle().then(() => true)
    const late = this.#clock.sleep(ATTEMPT_MS, { signal: ending.signal }).then(() => false)
    try {
      return await Promise.race([idle, late])
    } finally {
      ending.abort()
    }
  }
}
