const EARNED = 0.1
const MOST = 10

/**
 * Lets a tenth of the requests be tried again, and a few more after a quiet time: a host that is down for all is not
 * asked several times as often as one that is up.
 */
export class RetryBudget {
  #left = MOST

  earn(): void {
    this.#left = Math.min(MOST, this.#left + EARNED)
  }

  spend(): boolean {
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
