import type { Kysely, Selectable } from 'kysely'
import { UNNAMED } from '../../schemas/accounts-file.js'
import type { Charge, TokenStyle } from '../ground/account-choices.js'
import type { Drm } from '../ground/drms.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { type AccountRow, serviceId, type Tables } from './tables.js'

/** A customer of the service. */
export interface Account {
  readonly id: number
  readonly name: string
  readonly enabled: boolean
  /** The options of its DRMs by their names: what is not named may be used. `null`: it was never authorised. */
  readonly drm: Readonly<Record<Drm, boolean | null>>
  /** How often one token may be redeemed; `null`: no limit until it expires. */
  readonly maxRedemptions: number | null
  readonly limits: AccountLimits
  /** When a token is paid for. */
  readonly charge: Charge
  /** `null`: what the setting TOKEN_STYLE says. */
  readonly tokenStyle: TokenStyle | null
  /** `null`: what the setting STRICT_PARAMETERS says. */
  readonly strictParameters: boolean | null
}

/** They apply to each environment separately. */
export interface AccountLimits {
  /** `null`: the default for all accounts. */
  readonly requestsPerMinute: number | null
  /** `null`: limited by the balance only. */
  readonly tokensPerDay: number | null
}

/** An account with everything stored about it: each environment has its own balance and authenticators. */
export interface KnownAccount extends Account {
  readonly services: Readonly<Record<Environment, KnownService>>
}

export interface KnownService {
  readonly balance: number
  /** The newest first. */
  readonly authenticators: readonly KnownAuthenticator[]
}

export interface KnownAuthenticator {
  readonly name: string
  /** In hexadecimal. */
  readonly hash: string
  readonly createdAt: number
  /** When it stops being valid, because it was given an end or another has replaced it. */
  readonly validUntil: number | undefined
}

/** Accounts with their services and authenticators, in two queries whatever the number of accounts. */
export async function knownAccounts(
  db: Kysely<Tables>,
  accounts: readonly Selectable<AccountRow>[],
): Promise<KnownAccount[]> {
  const services = accounts.flatMap(({ id }) => ENVIRONMENTS.map(environment => serviceId(id, environment)))
  if (services.length === 0) return []
  const [rows, authenticators] = await Promise.all([servicesOf(db, services), authenticatorsOf(db, services)])
  const serviceOf = (id: number, environment: Environment): KnownService => ({
    balance: rows.get(serviceId(id, environment))?.balance ?? 0,
    authenticators: authenticators.get(serviceId(id, environment)) ?? [],
  })
  return accounts.map(account => ({
    ...settingsOf(account),
    limits: {
      requestsPerMinute: account.requests_per_minute,
      // Both services have the same.
      tokensPerDay: rows.get(serviceId(account.id, 'test'))?.tokens_per_day ?? null,
    },
    services: { test: serviceOf(account.id, 'test'), production: serviceOf(account.id, 'production') },
  }))
}

function settingsOf(row: Selectable<AccountRow>): Omit<Account, 'limits'> {
  return {
    id: row.id,
    name: row.name,
    enabled: row.enabled === 1,
    drm: readDrmOptions(row.drm),
    maxRedemptions: row.max_redemptions,
    // The casts: written by this store alone.
    charge: row.charge as Charge,
    tokenStyle: row.token_style as TokenStyle | null,
    strictParameters: row.strict_parameters === null ? null : row.strict_parameters === 1,
  }
}

async function servicesOf(db: Kysely<Tables>, services: readonly number[]) {
  const selection = db.selectFrom('services').select(['id', 'balance', 'tokens_per_day'])
  const rows = await selection.where('id', 'in', services).execute()
  return new Map(rows.map(row => [row.id, row]))
}

/** The newest first; of two from the same moment, the one that replaced the other. */
async function authenticatorsOf(
  db: Kysely<Tables>,
  services: readonly number[],
): Promise<Map<number, KnownAuthenticator[]>> {
  const rows = await db
    .selectFrom('authenticators')
    .selectAll()
    .where('service_id', 'in', services)
    .orderBy('created_at', 'desc')
    .orderBy('valid_until', order => order.desc().nullsFirst())
    .orderBy('hash')
    .execute()
  const found = new Map<number, KnownAuthenticator[]>()
  for (const { service_id, hash, created_at, valid_until, name } of rows) {
    const authenticator = {
      name: name ?? nameOfUnnamed(hash),
      hash,
      createdAt: created_at,
      validUntil: valid_until ?? undefined,
    }
    const others = found.get(service_id)
    if (others === undefined) found.set(service_id, [authenticator])
    else others.push(authenticator)
  }
  return found
}

/** It never changes, and is unique among the few of a service. */
export function nameOfUnnamed(hash: string): string {
  return `${UNNAMED}${hash.slice(0, 12)}`
}

export function readDrmOptions(json: string): KnownAccount['drm'] {
  return JSON.parse(json) // written by this store alone
}
