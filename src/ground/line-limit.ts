import type { Clock, Timer } from './clock.js'

/**
 * Lets the first few log lines of a kind through in every second, and says afterwards how many more there would have
 * been: a flood of one kind of line must not fill the disk.
 */
export class LineLimit {
  readonly #perSecond: number
  readonly #more: (kind: string, count: number) => void
  readonly #counts = new Map<string, number>()
  readonly #clock: Clock
  #timer: Timer | undefined

  constructor(clock: Clock, perSecond: number, more: (kind: string, count: number) => void) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#more = more
  }

  /** Whether a line of this kind shall be written. There are few kinds. */
  admit(kind: string): boolean {
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    this.#timer ??= this.#clock.after(1000, () => this.#endSecond())
    return count <= this.#perSecond
  }

  close(): void {
    this.#endSecond()
  }

  #endSecond(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    for (const [kind, count] of this.#counts) if (count > this.#perSecond) this.#more(kind, count - this.#perSecond)
    this.#counts.clear()
  }
}
