import type { Clock } from '../ground/clock.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { andThen, type MaybePromise } from '../ground/maybe-promise.js'
import type { Account, KnownAccount } from '../store/account-records.js'
import type { AccountRepository } from '../store/account-repository.js'
import type { Accounts } from './authentication.js'
import { customerIdOf, isSameHash } from './authenticators.js'

/** How long an instance may use what another instance has changed. */
const FRESH_MS = 500
/** Requests for customers who do not exist must not fill the memory. */
const MAX_CACHED = 10_000

/** Authenticates from a cache. Twice a second at most, it asks the database whether accounts changed, and clears the cache. */
export class AccountDirectory implements Accounts {
  readonly #repository: AccountRepository
  readonly #hash: (authenticator: string) => Buffer
  readonly #clock: Clock
  #cache = new Map<number, MaybePromise<CachedAccount | undefined>>()
  #revision: string | undefined
  #checkedAt = Number.NEGATIVE_INFINITY
  #checking: Promise<void> | undefined

  constructor(parts: DirectoryParts) {
    this.#repository = parts.repository
    this.#hash = parts.hash
    this.#clock = parts.clock
  }

  authenticate(authenticator: string, environment: Environment): MaybePromise<Account | undefined> {
    const customerId = customerIdOf(authenticator)
    return andThen(this.#fresh(customerId), found => {
      const hash = this.#hash(authenticator)
      const valid = found?.authenticators[environment].find(
        ({ hash: stored, validUntil }) =>
          isSameHash(hash, stored) && (validUntil === undefined || this.#clock.now(customerId) < validUntil),
      )
      return valid && found?.account
    })
  }

  async find(id: number): Promise<Account | undefined> {
    return (await this.#fresh(id))?.account
  }

  /** Called after a change by this instance. */
  clearCache(): void {
    this.#cache = new Map()
  }

  #fresh(id: number): MaybePromise<CachedAccount | undefined> {
    const isFresh = this.#clock.uptime() - this.#checkedAt <= FRESH_MS
    return isFresh ? this.#findCached(id) : this.#check().then(() => this.#findCached(id))
  }

  /** Concurrent requests share one query. */
  #check(): Promise<void> {
    this.#checking ??= this.#compareRevision().finally(() => {
      this.#checking = undefined
    })
    return this.#checking
  }

  async #compareRevision(): Promise<void> {
    const askedAt = this.#clock.uptime()
    const revision = await this.#repository.revision()
    if (revision !== this.#revision) this.clearCache()
    this.#revision = revision
    this.#checkedAt = askedAt
  }

  #findCached(id: number): MaybePromise<CachedAccount | undefined> {
    // The result of a query goes into the cache that was current when it was sent: after a change that is another one.
    const cache = this.#cache
    const known = cache.get(id)
    if (known !== undefined || cache.has(id)) return known
    const [oldest] = cache.size < MAX_CACHED ? [] : cache.keys()
    if (oldest !== undefined) cache.delete(oldest)
    const asked = this.#repository.find(id).then(cachedAccount)
    cache.set(id, asked)
    const replace = (change: () => unknown) => {
      if (cache.get(id) === asked) change() // else it was evicted
    }
    asked.then(
      found => replace(() => cache.set(id, found)),
      () => replace(() => cache.delete(id)),
    )
    return asked
  }
}

export interface DirectoryParts {
  readonly repository: AccountRepository
  readonly hash: (authenticator: string) => Buffer
  readonly clock: Clock
}

interface CachedAccount {
  readonly account: Account
  readonly authenticators: Readonly<Record<Environment, readonly { hash: Buffer; validUntil: number | undefined }[]>>
}

function cachedAccount(known: KnownAccount | undefined): CachedAccount | undefined {
  if (known === undefined) return undefined
  const { services, ...account } = known
  const [test, production] = ENVIRONMENTS.map(environment =>
    services[environment].authenticators.map(({ hash, validUntil }) => ({
      hash: Buffer.from(hash, 'hex'),
      validUntil,
    })),
  )
  return { account, authenticators: { test: test ?? [], production: production ?? [] } }
}
