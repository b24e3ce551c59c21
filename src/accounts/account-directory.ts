import type { Clock } from '../ground/clock.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import type { Account, KnownAccount } from '../store/account-records.js'
import type { AccountRepository } from '../store/account-repository.js'
import type { Accounts } from './authentication.js'
import { customerIdOf, isSameHash } from './authenticators.js'

/** How long an instance may not know what another has changed. */
const FRESH_MS = 500
/** Asking for customers who do not exist must not fill the memory. */
const MOST_REMEMBERED = 10_000

/** Authenticates from memory. Twice a second it asks the database whether anything has changed, and then forgets all. */
export class AccountDirectory implements Accounts {
  readonly #repository: AccountRepository
  readonly #hash: (authenticator: string) => Buffer
  readonly #clock: Clock
  #remembered = new Map<number, Promise<Remembered | undefined>>()
  #revision: string | undefined
  #checkedAt = Number.NEGATIVE_INFINITY
  #checking: Promise<void> | undefined

  constructor(parts: DirectoryParts) {
    this.#repository = parts.repository
    this.#hash = parts.hash
    this.#clock = parts.clock
  }

  async authenticate(authenticator: string, environment: Environment): Promise<Account | undefined> {
    const found = await this.#fresh(customerIdOf(authenticator))
    const hash = this.#hash(authenticator)
    const valid = found?.authenticators[environment].find(
      ({ hash: kept, validUntil }) =>
        isSameHash(hash, kept) && (validUntil === undefined || this.#clock.now() < validUntil),
    )
    return valid && found?.account
  }

  async find(id: number): Promise<Account | undefined> {
    return (await this.#fresh(id))?.account
  }

  /** After a change that this instance made itself. */
  forget(): void {
    this.#remembered = new Map()
  }

  async #fresh(id: number): Promise<Remembered | undefined> {
    if (this.#clock.uptime() - this.#checkedAt > FRESH_MS) await this.#check()
    return this.#recall(id)
  }

  /** One question for all requests that come meanwhile. */
  #check(): Promise<void> {
    this.#checking ??= this.#compareRevision().finally(() => {
      this.#checking = undefined
    })
    return this.#checking
  }

  async #compareRevision(): Promise<void> {
    const askedAt = this.#clock.uptime()
    const revision = await this.#repository.revision()
    if (revision !== this.#revision) this.forget()
    this.#revision = revision
    this.#checkedAt = askedAt
  }

  #recall(id: number): Promise<Remembered | undefined> {
    // What a question brings back belongs to the memory in which it was asked: after a change that is another one.
    const memory = this.#remembered
    const known = memory.get(id)
    if (known !== undefined) return known
    const [oldest] = memory.size < MOST_REMEMBERED ? [] : memory.keys()
    if (oldest !== undefined) memory.delete(oldest)
    const asked = this.#repository.find(id).then(remembered)
    memory.set(id, asked)
    asked.catch(() => memory.delete(id))
    return asked
  }
}

export interface DirectoryParts {
  readonly repository: AccountRepository
  readonly hash: (authenticator: string) => Buffer
  readonly clock: Clock
}

interface Remembered {
  readonly account: Account
  readonly authenticators: Readonly<Record<Environment, readonly { hash: Buffer; validUntil: number | undefined }[]>>
}

function remembered(known: KnownAccount | undefined): Remembered | undefined {
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
