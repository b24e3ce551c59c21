import type { Kysely, Transaction } from 'kysely'
import type { AccountSeed } from '../../schemas/accounts-file.js'
import type { KnownAccount, KnownService } from '../accounts/accounts.js'
import { ENVIRONMENTS, type Environment } from '../environment.js'
import { type AccountRow, serviceId, type Tables } from './tables.js'

const REVISION = 'accounts revision'
const SALT = 'authenticator salt'

/** Customers, their services and the hashes of their authenticators. */
export class AccountRepository {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  async isEmpty(): Promise<boolean> {
    return (await this.#db.selectFrom('accounts').select('id').limit(1).execute()).length === 0
  }

  async find(id: number): Promise<KnownAccount | undefined> {
    const [account, services, authenticators] = await Promise.all([
      this.#db.selectFrom('accounts').selectAll().where('id', '=', id).executeTakeFirst(),
      this.#db.selectFrom('services').selectAll().where('account_id', '=', id).execute(),
      this.#db
        .selectFrom('authenticators')
        .selectAll()
        .where(
          'service_id',
          'in',
          ENVIRONMENTS.map(environment => serviceId(id, environment)),
        )
        .orderBy('created_at', 'desc')
        .execute(),
    ])
    if (account === undefined) return undefined
    const serviceOf = (environment: Environment): KnownService => ({
      balance: services.find(service => service.environment === environment)?.balance ?? 0,
      authenticators: authenticators
        .filter(row => row.service_id === serviceId(id, environment))
        .map(row => ({ hash: row.hash, createdAt: row.created_at, validUntil: row.valid_until ?? undefined })),
    })
    return { ...accountOf(account), services: { test: serviceOf('test'), production: serviceOf('production') } }
  }

  /** Adds an account with the hashes of its authenticators; `false`, and nothing is changed, when the id is taken. */
  async add(account: AccountSeed, hashes: ReadonlyMap<Environment, string>, now: number): Promise<boolean> {
    return this.#change(async db => {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('accounts')
        .values({
          id: account.id,
          name: account.name,
          enabled: Number(account.enabled),
          playready: Number(account.drm.playready),
        })
        .onConflict(conflict => conflict.column('id').doNothing())
        .executeTakeFirst()
      if (numInsertedOrUpdatedRows === 0n) return false
      for (const environment of ENVIRONMENTS) {
        const service = { id: serviceId(account.id, environment), account_id: account.id, environment }
        await db
          .insertInto('services')
          .values({ ...service, balance: account.balance, last_event: 0 })
          .execute()
        const hash = hashes.get(environment)
        if (hash === undefined) continue
        const authenticator = { hash, service_id: service.id, created_at: now, valid_until: null }
        await db.insertInto('authenticators').values(authenticator).execute()
      }
      return true
    })
  }

  /** Differs after every change of any account, whoever made it. */
  async revision(): Promise<string> {
    return this.#setting(REVISION, () => '0')
  }

  /** Goes into the hashes of authenticators; the first instance on this database makes it. */
  async salt(make: () => string): Promise<string> {
    return this.#setting(SALT, make)
  }

  async #setting(name: string, make: () => string): Promise<string> {
    const find = () => this.#db.selectFrom('settings').select('value').where('name', '=', name).executeTakeFirst()
    const found = await find()
    if (found !== undefined) return found.value
    await this.#db
      .insertInto('settings')
      .values({ name, value: make() })
      .onConflict(conflict => conflict.column('name').doNothing())
      .execute()
    const { value } = (await find()) ?? {}
    if (value === undefined) throw new Error(`the database did not keep the setting "${name}"`)
    return value
  }

  /** A transaction that changes accounts, and tells all instances that it did. */
  async #change<T>(work: (db: Transaction<Tables>) => Promise<T>): Promise<T> {
    return this.#db.transaction().execute(async db => {
      const result = await work(db)
      await db
        .insertInto('settings')
        .values({ name: REVISION, value: '1' })
        .onConflict(conflict =>
          conflict.column('name').doUpdateSet(({ cast, eb, ref }) => ({
            value: cast(eb(cast<number>(ref('settings.value'), 'bigint'), '+', 1), 'text'),
          })),
        )
        .execute()
      return result
    })
  }
}

function accountOf({ id, name, enabled, playready }: AccountRow) {
  return { id, name, enabled: enabled === 1, drm: { playready: playready === 1 } }
}
