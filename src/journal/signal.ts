/** Something that happened, for one who waits for it. What is sent while nobody waits is received by the next wait. */
export class Signal {
  #isSent = false
  #wake: (() => void) | undefined
  #aborting: AbortSignal | undefined
  readonly #wakeUp = () => this.#wake?.()

  send(): void {
    this.#isSent = true
    this.#wakeUp()
  }

  /** `false` when the wait was aborted first. Every wait has the same signal. */
  async received(signal: AbortSignal): Promise<boolean> {
    if (!this.#isSent && !signal.aborted) {
      // Only once, because it costs more than all the rest of a wait.
      if (this.#aborting === undefined) {
        this.#aborting = signal
        signal.addEventListener('abort', this.#wakeUp, { once: true })
      }
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
    const isReceived = this.#isSent && !signal.aborted
    if (isReceived) this.#isSent = false
    return isReceived
  }

  /** There are no more waits. */
  end(): void {
    this.#aborting?.removeEventListener('abort', this.#wakeUp)
  }
}
