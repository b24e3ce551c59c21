import type { ViewerQuestion } from '../granting.js'
import type { Verdict } from './verdict.js'

const MAX_VERDICTS = 10_000
/** Bytes of the cached answers; the parsed verdicts take a few times as much memory. */
const MAX_BYTES = 16 * 1024 * 1024
/** The overhead of a verdict in addition to its content. */
const OVERHEAD_BYTES = 256

/** Caches verdicts for as long as they are valid. When the cache is full, the oldest verdicts go. */
export class VerdictCache {
  /** The oldest first. */
  readonly #entries = new Map<string, Entry>()
  readonly #elapsed: () => number
  #bytes = 0

  /** `elapsed`: milliseconds by which verdicts are valid. */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed
  }

  get size(): number {
    return this.#entries.size
  }

  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }

  find(key: string): Verdict | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    const now = this.#elapsed()
    // An emulator's clock can be set back to before the question.
    if (now >= entry.from && now < entry.until) return entry.verdict
    this.#remove(key, entry)
    return undefined
  }

  add(key: string, verdict: Verdict): void {
    const former = this.#entries.get(key)
    if (former !== undefined) this.#remove(key, former)
    if (verdict.holdsSeconds === 0) return
    const bytes = verdict.bytes + key.length + OVERHEAD_BYTES
    const from = this.#elapsed()
    this.#entries.set(key, { verdict, bytes, from, until: from + verdict.holdsSeconds * 1000 })
    this.#bytes += bytes
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= MAX_VERDICTS && this.#bytes <= MAX_BYTES) break
      this.#remove(oldest, entry)
    }
  }

  #remove(key: string, { bytes }: Entry): void {
    this.#entries.delete(key)
    this.#bytes -= bytes
  }
}

/** Equal for equal questions only: JSON separates the fields, so no cookie can imitate another question. */
export function keyOf({ contentID, requestType, customerCookie, drm }: ViewerQuestion): string {
  return JSON.stringify([contentID, requestType, customerCookie, drm])
}

interface Entry {
  readonly verdict: Verdict
  readonly bytes: number
  /** When the question was answered and when the verdict ends. */
  readonly from: number
  readonly until: number
}
