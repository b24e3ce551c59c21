import type { Clock } from '../../ground/clock.js'
import type { ViewerQuestion } from '../viewer-question.js'
import type { Verdict } from './verdict.js'

const MOST_VERDICTS = 10_000
/** Of answers that hold; what is made of them takes a few times as much. */
const MOST_BYTES = 16 * 1024 * 1024
/** What a verdict takes beside its content. */
const BYTES_OF_NONE = 256

/** Remembers what the customer said, as long as it holds. When there is no more room the oldest go. */
export class VerdictCache {
  /** In the order in which they came. */
  readonly #kept = new Map<string, Kept>()
  readonly #clock: Clock
  #bytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#kept.size
  }

  find(key: string): Verdict | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    if (this.#clock.uptime() < kept.until) return kept.verdict
    this.#forget(key, kept)
    return undefined
  }

  keep(key: string, verdict: Verdict): void {
    const former = this.#kept.get(key)
    if (former !== undefined) this.#forget(key, former)
    if (verdict.holdsSeconds === 0) return
    const bytes = verdict.bytes + key.length + BYTES_OF_NONE
    this.#kept.set(key, { verdict, bytes, until: this.#clock.uptime() + verdict.holdsSeconds * 1000 })
    this.#bytes += bytes
    for (const [oldest, one] of this.#kept) {
      if (this.#kept.size <= MOST_VERDICTS && this.#bytes <= MOST_BYTES) break
      this.#forget(oldest, one)
    }
  }

  #forget(key: string, { bytes }: Kept): void {
    this.#kept.delete(key)
    this.#bytes -= bytes
  }
}

/** The same for the same question alone: no cookie can look like another with something before it. */
export function keyOf({ contentID, requestType, customerCookie }: ViewerQuestion): string {
  return JSON.stringify([contentID, requestType, customerCookie])
}

interface Kept {
  readonly verdict: Verdict
  readonly bytes: number
  /** In milliseconds of the uptime. */
  readonly until: number
}
