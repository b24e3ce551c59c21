import type { ResetOrder } from '../../schemas/reset.js'
import { StatusError } from '../errors/public-error.js'
import type { MaybePromise } from '../ground/maybe-promise.js'
import type { AccountRepository } from '../store/account-repository.js'
import type { ResetRepository, StoredSeed } from '../store/reset-repository.js'
import type { RequestGate } from './request-gate.js'

/** What a reset brings back in memory, beside the database. */
export interface EmulatorPart {
  /** `keep` may name it. */
  readonly name: string
  /** Brings back what the start made; with a customer, only what is that customer's. */
  reset(customerId: number | undefined): MaybePromise<void>
  /** It follows from the database, so that restoring a snapshot resets it as well. */
  readonly isCache?: boolean
  /** What a snapshot holds of it: anything that JSON can say. */
  readonly snapshot?: { save(): unknown; restore(saved: unknown): MaybePromise<void> }
}

export interface ResetParts {
  readonly gate: RequestGate
  readonly resets: ResetRepository
  readonly accounts: Pick<AccountRepository, 'find'>
  /** The accounts that a start adds to a new database. */
  readonly seeds: readonly StoredSeed[]
  /** All of them, also those that are added later. */
  readonly parts: readonly EmulatorPart[]
}

/** Starting over: the database and all memory become what the start made of the seeds. */
export class Reset {
  readonly #parts: ResetParts

  constructor(parts: ResetParts) {
    this.#parts = parts
  }

  /** Every request comes wholly before it or wholly after it. */
  async reset({ keep, customer }: ResetOrder): Promise<void> {
    const { gate, resets, parts } = this.#parts
    const seeds = this.#parts.seeds.filter(({ account }) => customer === undefined || account.id === customer)
    await gate.alone(async () => {
      if (customer !== undefined && seeds.length === 0) await this.#requireAccount(customer)
      await resets.reset({
        seeds,
        accountId: customer,
        keepsAccounts: keep.includes('accounts'),
        keepsKeys: keep.includes('keys'),
        keepsContents: keep.includes('contents'),
      })
      const kept: readonly string[] = keep
      for (const part of parts) if (!kept.includes(part.name)) await part.reset(customer)
    })
  }

  /** Removes an account with everything of it: its tokens are then those of a disabled account. */
  async removeAccount(id: number): Promise<void> {
    const { gate, resets, parts } = this.#parts
    await gate.alone(async () => {
      if (!(await resets.removeAccount(id))) throw noAccount('id')
      for (const part of parts) await part.reset(id)
    })
  }

  async #requireAccount(id: number): Promise<void> {
    if ((await this.#parts.accounts.find(id)) === undefined) throw noAccount('customer')
  }
}

function noAccount(parameter: string): StatusError {
  return new StatusError(404, 'There is no account with this id', parameter)
}
