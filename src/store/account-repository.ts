import type { Insertable, Kysely, Transaction } from 'kysely'
import type { AccountSeed } from '../../schemas/accounts-file.js'
import type { AccountChange } from '../../schemas/admin.js'
import type { Drm } from '../ground/drms.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { type KnownAccount, knownAccounts, nameOfUnnamed, readDrmOptions } from './account-records.js'
import { countUp, sharedSetting } from './shared-settings.js'
import { type AccountRow, type AuthenticatorRow, type ServiceRow, serviceId, type Tables } from './tables.js'

const REVISION = 'accounts revision'
const SALT = 'authenticator salt'
/** Fewer than a statement may have values. */
const IDS_AT_A_TIME = 500

/** Customers, their services and the hashes of their authenticators. */
export class AccountRepository {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  async count(): Promise<number> {
    const { accounts } = await this.#db
      .selectFrom('accounts')
      .select(({ fn }) => fn.countAll<number | string>().as('accounts'))
      .executeTakeFirstOrThrow()
    return Number(accounts)
  }

  /** The ids that are taken among these. */
  async idsAmong(ids: readonly number[]): Promise<Set<number>> {
    const taken = new Set<number>()
    for (let start = 0; start < ids.length; start += IDS_AT_A_TIME) {
      const some = ids.slice(start, start + IDS_AT_A_TIME)
      const rows = await this.#db.selectFrom('accounts').select('id').where('id', 'in', some).execute()
      for (const { id } of rows) taken.add(id)
    }
    return taken
  }

  async find(id: number): Promise<KnownAccount | undefined> {
    const rows = await this.#db.selectFrom('accounts').selectAll().where('id', '=', id).execute()
    const [found] = await knownAccounts(this.#db, rows)
    return found
  }

  /** In the order of their ids, from the first one that is greater than `after`. */
  async page(after: number, limit: number): Promise<KnownAccount[]> {
    const accounts = this.#db.selectFrom('accounts').selectAll().where('id', '>', after)
    return knownAccounts(this.#db, await accounts.orderBy('id').limit(limit).execute())
  }

  /** The number after the greatest id whose successor is free. */
  async nextId(greatest: number): Promise<number> {
    const last = await this.#db
      .selectFrom('accounts as account')
      .select('id')
      .where('id', '<', greatest)
      .where(({ exists, not, selectFrom }) =>
        not(
          exists(
            selectFrom('accounts as next')
              .select('next.id')
              .where(({ eb, ref }) => eb('next.id', '=', eb(ref('account.id'), '+', 1))),
          ),
        ),
      )
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst()
    return (last?.id ?? 0) + 1
  }

  /** Adds an account with its authenticators; `false`, and nothing is changed, when the id is taken. */
  async add(account: AccountSeed, authenticators: StoredAuthenticators): Promise<boolean> {
    return this.#change(async db => {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('accounts')
        .values(accountRow(account))
        .onConflict(conflict => conflict.column('id').doNothing())
        .executeTakeFirst()
      if (numInsertedOrUpdatedRows === 0n) return false
      await db.insertInto('services').values(serviceRows(account)).execute()
      const rows = authenticatorRows(account.id, authenticators)
      if (rows.length > 0) await db.insertInto('authenticators').values(rows).execute()
      return true
    })
  }

  async change(
    id: number,
    { limits: { requestsPerMinute, tokensPerDay } = {}, ...change }: AccountChange,
  ): Promise<void> {
    const { name, enabled, drm, maxRedemptions, charge, tokenStyle, strictParameters } = change
    const changed = {
      ...(name !== undefined && { name }),
      ...(enabled !== undefined && { enabled: Number(enabled) }),
      ...(maxRedemptions !== undefined && { max_redemptions: maxRedemptions }),
      ...(requestsPerMinute !== undefined && { requests_per_minute: requestsPerMinute }),
      ...(charge !== undefined && { charge }),
      ...(tokenStyle !== undefined && { token_style: tokenStyle }),
      ...(strictParameters !== undefined && { strict_parameters: numberOf(strictParameters) }),
    }
    await this.#change(async db => {
      if (drm !== undefined) await changeDrmOptions(db, id, drm)
      if (Object.keys(changed).length > 0) await db.updateTable('accounts').set(changed).where('id', '=', id).execute()
      if (tokensPerDay === undefined) return
      // One after the other, in the order in which issuing tokens locks them.
      for (const service of ENVIRONMENTS.map(environment => serviceId(id, environment)))
        await db.updateTable('services').set({ tokens_per_day: tokensPerDay }).where('id', '=', service).execute()
    })
  }

  /**
   * The new balance; `undefined`, and nothing is changed, when it would be below 0 or greater than `greatest`. One
   * statement, so that no token that is issued concurrently is lost; no instance caches balances.
   */
  async addToBalance(service: number, amount: number, greatest: number): Promise<number | undefined> {
    const changed = await this.#db
      .updateTable('services')
      .set(({ eb }) => ({ balance: eb('balance', '+', amount) }))
      .where('id', '=', service)
      .where('balance', '>=', Math.max(0, -amount))
      .where('balance', '<=', greatest - Math.max(0, amount))
      .returning('balance')
      .executeTakeFirst()
    return changed?.balance
  }

  async setBalance(service: number, balance: number): Promise<number> {
    await this.#db.updateTable('services').set({ balance }).where('id', '=', service).execute()
    return balance
  }

  /**
   * Adds an authenticator and lets those before it without a name be valid until `othersUntil` at most; those that no
   * longer are go. `false` when the service has it already.
   */
  async replaceAuthenticator(service: number, { hash, now, othersUntil }: Replacement): Promise<boolean> {
    return this.#change(async db => {
      if ((await remaining(db, service, now)).some(one => one.hash === hash)) return false
      await db
        .updateTable('authenticators')
        .set({ valid_until: othersUntil })
        .where('service_id', '=', service)
        .where('name', 'is', null)
        .where(({ eb, or }) => or([eb('valid_until', 'is', null), eb('valid_until', '>', othersUntil)]))
        .execute()
      await insertAuthenticator(db, service, { hash, createdAt: now })
      return true
    })
  }

  /** Adds one beside those that the service has. Which field is in the way of it, where something is. */
  async addAuthenticator(service: number, added: StoredAuthenticator): Promise<'authenticator' | 'name' | undefined> {
    return this.#change(async db => {
      const others = await remaining(db, service, added.createdAt)
      if (others.some(({ hash }) => hash === added.hash)) return 'authenticator'
      if (others.some(({ name }) => name === added.name)) return 'name'
      await insertAuthenticator(db, service, added)
      return undefined
    })
  }

  /** By its name, as accounts are shown with it. `false` when the service has none with it. */
  async removeAuthenticator(service: number, name: string): Promise<boolean> {
    return this.#change(async db => {
      const stored = await authenticatorsOf(db, service)
      const removed = stored.find(one => (one.name ?? nameOfUnnamed(one.hash)) === name)
      if (removed === undefined) return false
      const { hash } = removed
      await db.deleteFrom('authenticators').where('service_id', '=', service).where('hash', '=', hash).execute()
      return true
    })
  }

  /** Changes whenever anything changes that instances cache about accounts. */
  async revision(): Promise<string> {
    return sharedSetting(this.#db, REVISION, () => '0')
  }

  /** The salt of authenticator hashes; the first instance on this database creates it. */
  async salt(make: () => string): Promise<string> {
    return sharedSetting(this.#db, SALT, make)
  }

  #change<T>(work: (db: Transaction<Tables>) => Promise<T>): Promise<T> {
    return changingAccounts(this.#db, work)
  }
}

/** A transaction that changes accounts and invalidates the caches of all instances. The increment comes first and serializes changes. */
export async function changingAccounts<T>(
  db: Kysely<Tables>,
  work: (db: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  return db.transaction().execute(async db => {
    await countUp(db, REVISION)
    return work(db)
  })
}

/** The hash of a new authenticator, and the moments that go with it. */
export interface Replacement {
  readonly hash: string
  readonly now: number
  readonly othersUntil: number
}

/** An authenticator as it is stored: its hash. */
export interface StoredAuthenticator {
  readonly hash: string
  readonly name?: string | null | undefined
  readonly createdAt: number
  readonly validUntil?: number | null | undefined
}

export type StoredAuthenticators = Readonly<Record<Environment, readonly StoredAuthenticator[]>>

export function accountRow(account: AccountSeed): Insertable<AccountRow> {
  return {
    id: account.id,
    name: account.name,
    enabled: Number(account.enabled),
    drm: JSON.stringify(account.drm),
    max_redemptions: account.maxRedemptions,
    requests_per_minute: account.limits.requestsPerMinute,
    charge: account.charge,
    token_style: account.tokenStyle,
    strict_parameters: numberOf(account.strictParameters),
  }
}

export function serviceRows({ id, balance, limits }: AccountSeed): Insertable<ServiceRow>[] {
  return ENVIRONMENTS.map(environment => ({
    id: serviceId(id, environment),
    account_id: id,
    environment,
    balance,
    last_event: 0,
    tokens_per_day: limits.tokensPerDay,
  }))
}

export function authenticatorRows(id: number, authenticators: StoredAuthenticators): Insertable<AuthenticatorRow>[] {
  return ENVIRONMENTS.flatMap(environment =>
    authenticators[environment].map(one => authenticatorRow(serviceId(id, environment), one)),
  )
}

function authenticatorRow(
  service: number,
  { hash, name = null, createdAt, validUntil = null }: StoredAuthenticator,
): Insertable<AuthenticatorRow> {
  return { hash, service_id: service, name, created_at: createdAt, valid_until: validUntil }
}

async function insertAuthenticator(
  db: Transaction<Tables>,
  service: number,
  authenticator: StoredAuthenticator,
): Promise<void> {
  await db.insertInto('authenticators').values(authenticatorRow(service, authenticator)).execute()
}

/** Those that are valid or will be; the others go. */
async function remaining(db: Transaction<Tables>, service: number, now: number) {
  await db.deleteFrom('authenticators').where('service_id', '=', service).where('valid_until', '<=', now).execute()
  return authenticatorsOf(db, service)
}

function authenticatorsOf(db: Transaction<Tables>, service: number) {
  return db.selectFrom('authenticators').select(['hash', 'name']).where('service_id', '=', service).execute()
}

function numberOf(truth: boolean | null): number | null {
  return truth === null ? null : Number(truth)
}

type DrmOptions = Readonly<Partial<Record<Drm, boolean | null | undefined>>>

/** Those that are named; the others stay as they are. */
async function changeDrmOptions(db: Kysely<Tables>, id: number, change: DrmOptions): Promise<void> {
  const row = await db.selectFrom('accounts').select('drm').where('id', '=', id).executeTakeFirst()
  if (row === undefined) return
  const changed = Object.entries(change).filter(([, option]) => option !== undefined)
  const drm = JSON.stringify({ ...readDrmOptions(row.drm), ...Object.fromEntries(changed) })
  await db.updateTable('accounts').set({ drm }).where('id', '=', id).execute()
}
