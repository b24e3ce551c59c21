/** Why somebody gets no turn. */
export type NoTurn = 'line full' | 'too late'

/**
 * A host gets so many requests at once; so many more wait for their turn, in the order of their coming. Who gets none
 * is told so by an error of the line's owner.
 */
export class WaitingLine {
  readonly #places: number
  readonly #longest: number
  readonly #refusal: (why: NoTurn) => Error
  readonly #waiting = new Set<() => void>()
  #taken = 0

  constructor(places: number, longest: number, refusal: (why: NoTurn) => Error) {
    this.#places = places
    this.#longest = longest
    this.#refusal = refusal
  }

  get underWay(): number {
    return this.#taken
  }

  get waiting(): number {
    return this.#waiting.size
  }

  requireRoom(): void {
    if (this.#taken >= this.#places && this.#waiting.size >= this.#longest) throw this.#refusal('line full')
  }

  /** Takes a place: at once, or when the promise resolves. Whoever has one must leave it. `gone` ends the waiting. */
  enter(timeout: number, gone?: AbortSignal): Promise<void> | undefined {
    this.requireRoom()
    if (this.#taken >= this.#places) return this.#turn(timeout, gone)
    this.#taken += 1
    return undefined
  }

  leave(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#taken -= 1
    else next() // the place goes on to the next
  }

  #turn(timeout: number, gone: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#waiting.delete(proceed)
        clearTimeout(timer)
        gone?.removeEventListener('abort', leave)
      }
      const proceed = () => {
        end()
        resolve()
      }
      const leave = () => {
        end()
        reject(gone?.reason)
      }
      const timer = setTimeout(() => {
        end()
        reject(this.#refusal('too late'))
      }, timeout)
      this.#waiting.add(proceed)
      gone?.addEventListener('abort', leave)
      if (gone?.aborted === true) leave()
    })
  }
}
