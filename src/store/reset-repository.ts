import type { Kysely, Transaction } from 'kysely'
import type { AccountSeed } from '../../schemas/accounts-file.js'
import { ENVIRONMENTS } from '../ground/environment.js'
import {
  accountRow,
  authenticatorRows,
  changingAccounts,
  type StoredAuthenticators,
  serviceRows,
} from './account-repository.js'
import { serviceId, type Tables } from './tables.js'

/** An account as a start adds it to a new database. */
export interface StoredSeed {
  readonly account: AccountSeed
  readonly authenticators: StoredAuthenticators
}

export interface ResetOfRows {
  /** The accounts that are there afterwards, unless accounts are kept. */
  readonly seeds: readonly StoredSeed[]
  /** Only the rows of this account. Contents belong to none, and stay. */
  readonly accountId?: number | undefined
  readonly keepsAccounts: boolean
  readonly keepsKeys: boolean
  readonly keepsContents: boolean
}

/** What tokens and requests leave behind, in each service. */
const TRACES = ['events', 'pending_tokens', 'redemptions', 'idempotency_keys'] as const
/** Few enough values for one statement. */
const ROWS_AT_A_TIME = 500

/** Brings the database back to its seeds. Each change is one transaction. */
export class ResetRepository {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  async reset({ seeds, accountId, keepsAccounts, keepsKeys, keepsContents }: ResetOfRows): Promise<void> {
    await changingAccounts(this.#db, async db => {
      const rows = new ServiceRows(db, accountId)
      for (const table of TRACES) await rows.remove(table)
      if (!keepsKeys) await rows.remove('keys')
      if (!keepsContents && accountId === undefined) await db.deleteFrom('contents').execute()
      if (keepsAccounts) return rows.restartCounts()
      await rows.removeAccounts()
      await insertSeeds(db, seeds)
      // A key that is kept belongs to an account that is there.
      if (keepsKeys) await rows.removeKeysWithoutService()
    })
  }

  /** Removes an account with everything of it; `false` when there is none with this id. */
  async removeAccount(accountId: number): Promise<boolean> {
    return changingAccounts(this.#db, async db => {
      const rows = new ServiceRows(db, accountId)
      for (const table of [...TRACES, 'keys'] as const) await rows.remove(table)
      return (await rows.removeAccounts()) > 0n
    })
  }
}

/** The rows of one account, or of all. */
class ServiceRows {
  readonly #db: Transaction<Tables>
  readonly #accountId: number | undefined
  readonly #services: readonly number[] | undefined

  constructor(db: Transaction<Tables>, accountId: number | undefined) {
    this.#db = db
    this.#accountId = accountId
    this.#services =
      accountId === undefined ? undefined : ENVIRONMENTS.map(environment => serviceId(accountId, environment))
  }

  async remove(table: (typeof TRACES)[number] | 'keys' | 'authenticators'): Promise<void> {
    const services = this.#services
    await this.#db
      .deleteFrom(table)
      .$if(services !== undefined, query => query.where('service_id', 'in', services ?? []))
      .execute()
  }

  /** How many there were. */
  async removeAccounts(): Promise<bigint> {
    await this.remove('authenticators')
    const id = this.#accountId
    await this.#db
      .deleteFrom('services')
      .$if(id !== undefined, query => query.where('account_id', '=', id ?? 0))
      .execute()
    const { numDeletedRows } = await this.#db
      .deleteFrom('accounts')
      .$if(id !== undefined, query => query.where('id', '=', id ?? 0))
      .executeTakeFirst()
    return numDeletedRows
  }

  /** Of events and of the day's quota. */
  async restartCounts(): Promise<void> {
    const services = this.#services
    await this.#db
      .updateTable('services')
      .set({ last_event: 0, quota_day: 0, tokens_today: 0 })
      .$if(services !== undefined, query => query.where('id', 'in', services ?? []))
      .execute()
  }

  async removeKeysWithoutService(): Promise<void> {
    const services = this.#services
    await this.#db
      .deleteFrom('keys')
      .where('service_id', 'not in', query => query.selectFrom('services').select('id'))
      .$if(services !== undefined, query => query.where('service_id', 'in', services ?? []))
      .execute()
  }
}

async function insertSeeds(db: Transaction<Tables>, seeds: readonly StoredSeed[]): Promise<void> {
  for (let start = 0; start < seeds.length; start += ROWS_AT_A_TIME) {
    const some = seeds.slice(start, start + ROWS_AT_A_TIME)
    await db
      .insertInto('accounts')
      .values(some.map(({ account }) => accountRow(account)))
      .execute()
    await db
      .insertInto('services')
      .values(some.flatMap(({ account }) => serviceRows(account)))
      .execute()
    const rows = some.flatMap(({ account, authenticators }) => authenticatorRows(account.id, authenticators))
    for (let first = 0; first < rows.length; first += ROWS_AT_A_TIME)
      await db
        .insertInto('authenticators')
        .values(rows.slice(first, first + ROWS_AT_A_TIME))
        .execute()
  }
}
