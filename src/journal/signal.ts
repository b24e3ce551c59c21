/** Something that happened, for one who waits for it. What is sent while nobody waits is received by the next wait. */
export class Signal {
  #isSent = false
  #wake: (() => void) | undefined

  send(): void {
    this.#isSent = true
    this.#wake?.()
  }

  /** `false` when the wait was aborted first. */
  async received(signal: AbortSignal): Promise<boolean> {
    if (!this.#isSent && !signal.aborted) {
      let wake: () => void = () => {}
      await new Promise<void>(resolve => {
        wake = resolve
        this.#wake = resolve
        signal.addEventListener('abort', resolve as () => void, { once: true })
      })
      this.#wake = undefined
      signal.removeEventListener('abort', wake)
    }
    const isReceived = this.#isSent && !signal.aborted
    if (isReceived) this.#isSent = false
    return isReceived
  }
}
