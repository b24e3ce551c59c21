import {
  type AccountSeed,
  GREATEST_BALANCE,
  GREATEST_ID,
  isAuthenticatorOf,
  NOT_ITS_OWN,
} from '../../schemas/accounts-file.js'
import type {
  AccountChange,
  AccountPage,
  AddedAuthenticator,
  AuthenticatorAddition,
  AuthenticatorPath,
  BalanceChange,
  CreatedAccount,
  NewAccount,
  PageQuery,
  RotatedAuthenticator,
  Rotation,
  ShownAccount,
  ShownBalance,
} from '../../schemas/admin.js'
import { StatusError } from '../errors/public-error.js'
import { type Now, rfc3339 } from '../ground/clock.js'
import { byDrm } from '../ground/drms.js'
import type { Environment } from '../ground/environment.js'
import type { Randomness } from '../ground/randomness.js'
import type { KnownAccount, KnownService } from '../store/account-records.js'
import type { AccountRepository } from '../store/account-repository.js'
import { serviceId } from '../store/tables.js'
import { newAuthenticator, storedAuthenticators } from './authenticators.js'

/** What an administrator can do with accounts: in this database, or through a server that has it open. */
export interface Administration {
  list(page: PageQuery): Promise<AccountPage>
  show(id: number): Promise<ShownAccount>
  create(account: NewAccount): Promise<CreatedAccount>
  change(id: number, change: AccountChange): Promise<ShownAccount>
  changeBalance(id: number, change: BalanceChange): Promise<ShownBalance>
  rotate(id: number, rotation: Rotation): Promise<RotatedAuthenticator>
  addAuthenticator(id: number, environment: Environment, added: AuthenticatorAddition): Promise<AddedAuthenticator>
  removeAuthenticator(path: AuthenticatorPath): Promise<void>
}

/** Changes accounts, balances and authenticators, and no event. */
export class AccountAdministration implements Administration {
  readonly #parts: AdministrationParts

  constructor(parts: AdministrationParts) {
    this.#parts = parts
  }

  async list({ after, limit }: PageQuery): Promise<AccountPage> {
    // One more row shows whether there is another page.
    const found = await this.#parts.repository.page(after, limit + 1)
    const accounts = found.slice(0, limit)
    return { accounts: accounts.map(presentAccount), next: found.length > limit ? (accounts.at(-1)?.id ?? null) : null }
  }

  async show(id: number): Promise<ShownAccount> {
    return presentAccount(await this.#known(id))
  }

  async create(order: NewAccount): Promise<CreatedAccount> {
    const id = order.id ?? (await this.#parts.repository.nextId(GREATEST_ID))
    const authenticators = {
      test: order.authenticators.test ?? newAuthenticator(id, this.#parts.random),
      production: order.authenticators.production ?? newAuthenticator(id, this.#parts.random),
    }
    const seeded = {
      test: [{ authenticator: authenticators.test }],
      production: [{ authenticator: authenticators.production }],
    }
    if (await this.add({ ...order, id, authenticators: seeded })) return { ...(await this.show(id)), authenticators }
    if (order.id !== undefined) throw new StatusError(409, 'id: there is an account with it already', 'id')
    // Another request has taken the free id in the meantime.
    return this.create(order)
  }

  /** The seeds whose accounts do not exist yet. */
  async unknownOf(seeds: readonly AccountSeed[]): Promise<AccountSeed[]> {
    const known = await this.#parts.repository.idsAmong(seeds.map(({ id }) => id))
    return seeds.filter(({ id }) => !known.has(id))
  }

  /** Adds an account; `false`, and nothing is changed, when there is one with this id. */
  async add(seed: AccountSeed): Promise<boolean> {
    const { repository, hash, now } = this.#parts
    const isAdded = await repository.add(seed, storedAuthenticators(seed, { hash, createdAt: now(seed.id) }))
    this.#parts.changed(seed.id)
    return isAdded
  }

  async change(id: number, change: AccountChange): Promise<ShownAccount> {
    await this.#known(id)
    await this.#parts.repository.change(id, change)
    this.#parts.changed(id)
    return this.show(id)
  }

  async changeBalance(id: number, { environment, add, set }: BalanceChange): Promise<ShownBalance> {
    await this.#known(id)
    const { repository } = this.#parts
    const service = serviceId(id, environment)
    const balance =
      set === undefined
        ? await repository.addToBalance(service, add ?? 0, GREATEST_BALANCE)
        : await repository.setBalance(service, set)
    if (balance === undefined)
      throw new StatusError(400, `add: the balance must stay from 0 to ${GREATEST_BALANCE}`, 'add')
    this.#parts.changed(id)
    return { id, environment, balance }
  }

  /** Earlier authenticators without a name stay valid for a while, so that a customer can switch without downtime. */
  async rotate(id: number, { environment, ...given }: Rotation): Promise<RotatedAuthenticator> {
    const { repository, now, overlapSeconds } = this.#parts
    await this.#known(id)
    const authenticator = this.#ownAuthenticator(id, given.authenticator)
    const present = now(id)
    const othersUntil = present + (given.validForSeconds ?? overlapSeconds) * 1000
    const replacement = { hash: this.#hash(authenticator), now: present, othersUntil }
    const isReplaced = await repository.replaceAuthenticator(serviceId(id, environment), replacement)
    this.#parts.changed(id)
    if (!isReplaced) throw taken('authenticator')
    return { id, environment, authenticator, othersValidUntil: rfc3339(othersUntil) }
  }

  async addAuthenticator(
    id: number,
    environment: Environment,
    given: AuthenticatorAddition,
  ): Promise<AddedAuthenticator> {
    const { repository, now } = this.#parts
    const { name, validUntil = null } = given
    await this.#known(id)
    const authenticator = this.#ownAuthenticator(id, given.authenticator)
    const createdAt = now(id)
    if (validUntil !== null && validUntil <= createdAt)
      throw new StatusError(400, 'validUntil: must be in the future', 'validUntil')
    const added = { hash: this.#hash(authenticator), name, createdAt, validUntil }
    const obstacle = await repository.addAuthenticator(serviceId(id, environment), added)
    this.#parts.changed(id)
    if (obstacle !== undefined) throw taken(obstacle)
    return { id, environment, name, authenticator, validUntil: presentEnd(validUntil) }
  }

  async removeAuthenticator({ id, environment, name }: AuthenticatorPath): Promise<void> {
    await this.#known(id)
    const isRemoved = await this.#parts.repository.removeAuthenticator(serviceId(id, environment), name)
    this.#parts.changed(id)
    if (!isRemoved) throw new StatusError(404, 'There is no authenticator with this name', 'name')
  }

  #hash(authenticator: string): string {
    return this.#parts.hash(authenticator).toString('hex')
  }

  /** The given one, or a new one. */
  #ownAuthenticator(id: number, given: string | undefined): string {
    const authenticator = given ?? newAuthenticator(id, this.#parts.random)
    if (isAuthenticatorOf(id, authenticator)) return authenticator
    throw new StatusError(400, `authenticator: ${NOT_ITS_OWN}`, 'authenticator')
  }

  async #known(id: number): Promise<KnownAccount> {
    const known = await this.#parts.repository.find(id)
    if (known === undefined) throw new StatusError(404, 'There is no account with this id', 'id')
    return known
  }
}

export interface AdministrationParts {
  readonly repository: AccountRepository
  readonly hash: (authenticator: string) => Buffer
  readonly now: Now
  readonly random: Randomness
  /** How long a replaced authenticator stays valid, where the administrator does not say. */
  readonly overlapSeconds: number
  /** Called after every change of an account, to invalidate caches. */
  readonly changed: (id: number) => void
}

/** An account as the admin API shows it: without the hashes of its authenticators. */
function presentAccount(account: KnownAccount): ShownAccount {
  const { id, name, enabled, drm, maxRedemptions, limits, charge, tokenStyle, strictParameters, services } = account
  return {
    id,
    name,
    enabled,
    drm: { ...byDrm(option => drm[option] !== false), fairplay: drm.fairplay === undefined ? true : drm.fairplay },
    maxRedemptions,
    limits,
    charge,
    tokenStyle,
    strictParameters,
    services: { test: presentService(services.test), production: presentService(services.production) },
  }
}

function presentService({ balance, authenticators }: KnownService): ShownAccount['services']['test'] {
  return {
    balance,
    authenticators: authenticators.map(({ name, createdAt, validUntil = null }) => ({
      name,
      createdAt: rfc3339(createdAt),
      validUntil: presentEnd(validUntil),
    })),
  }
}

function presentEnd(validUntil: number | null): string | null {
  return validUntil === null ? null : rfc3339(validUntil)
}

function taken(field: 'authenticator' | 'name'): StatusError {
  const what = field === 'name' ? 'one with it' : 'it'
  return new StatusError(409, `${field}: the account has ${what} already`, field)
}
