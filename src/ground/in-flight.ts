/** Counts operations in flight, and resolves `idle` when none is left. */
export class InFlight {
  #count = 0
  #idle: (() => void)[] = []

  begin(): void {
    this.#count += 1
  }

  end(): void {
    this.#count -= 1
    if (this.#count === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  async idle(): Promise<void> {
    if (this.#count > 0) await new Promise<void>(resolve => this.#idle.push(resolve))
  }
}
