/** Closes what was opened: the last first, each exactly once, and each whatever becomes of the others. */
export class Closing {
  readonly #steps: (() => unknown)[] = []
  #closed: Promise<void> | undefined

  /** How to close what has just been opened. */
  add(step: () => unknown): void {
    this.#steps.push(step)
  }

  /** Everybody gets the same promise. It rejects with the first failure, when all is closed that can be. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll()
    return this.#closed
  }

  /** After a failure that is worth more than those of closing. */
  async closeAfter(failure: unknown): Promise<never> {
    await this.close().catch(() => {})
    throw failure
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = []
    for (const step of this.#steps.reverse()) {
      try {
        await step()
      } catch (failure) {
        failures.push(failure)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
}
