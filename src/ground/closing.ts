/** Closes what was opened: in reverse order, each exactly once, and each even if others fail. */
export class Closing {
  readonly #steps: (() => unknown)[] = []
  #closed: Promise<void> | undefined

  /** How to close what has just been opened. */
  add(step: () => unknown): void {
    this.#steps.push(step)
  }

  /** All calls return the same promise. It rejects with the first failure, after everything was closed that can be. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll()
    return this.#closed
  }

  /** Closes after a failure, and rethrows that one instead of failures to close. */
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
