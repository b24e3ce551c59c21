import type { FastifyInstance } from 'fastify'
import { type Logger, pino } from 'pino'
import type { AccountSeed } from '../schemas/accounts-file.js'
import type { Now } from '../schemas/rules.js'
import { demoAccount, isDemoOpen, readAccounts, readAccountsFile } from './accounts/seeds.js'
import { buildApp } from './app.js'
import { type Config, ConfigError } from './config.js'
import type { EntitlementSettings } from './entitlement/settings.js'
import { listen } from './http-server.js'
import { pooledRandomness, type Randomness } from './randomness.js'
import { buildServices, type Services } from './services.js'
import { openStore } from './store/store.js'
import { openToken, type ReadToken } from './tokens/open.js'
import { tokenKeysOf } from './tokens/token-keys.js'
import { TokenVault } from './tokens/vault.js'
import { missingCredentials } from './upstream/credentials.js'

export interface Server {
  /** Where it listens: `http://127.0.0.1:49152`. */
  readonly url: string
  /** Where the entitlement service listens, if it does. */
  readonly entitlementUrl?: string | undefined
  /** No accounts were given, and the public demo account works. */
  readonly isDemo: boolean
  /** What a token says that this server issued; `undefined` for every other text. */
  openToken(token: string): ReadToken | undefined
  /** Answers what is under way, refuses what is new, and lets go of the port. */
  close(): Promise<void>
}

export interface ServerParts {
  readonly config: Config
  readonly accounts?: readonly AccountSeed[] | undefined
  readonly now?: Now | undefined
  readonly uptime?: (() => number) | undefined
  readonly random?: Randomness | undefined
  readonly logger?: Logger | undefined
}

/** Builds the application with what it needs from outside, and listens. */
export async function serve({ config, ...parts }: ServerParts): Promise<Server> {
  const random = parts.random ?? pooledRandomness()
  const logger = parts.logger ?? pino({ level: config.LOG_LEVEL })
  const { keys, areNew } = tokenKeysOf(config, random, logger)
  const vault = new TokenVault(keys, random)
  const given =
    parts.accounts ?? (config.ACCOUNTS_FILE === undefined ? undefined : readAccountsFile(config.ACCOUNTS_FILE))
  if (config.MODE === 'gateway') requireCredentials(given)
  const store = await openStore(config.DATABASE_URL)
  let app: FastifyInstance | undefined
  let entitlement: FastifyInstance | undefined
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= (async () => {
      await Promise.all([entitlement?.close(), app?.close()])
      await store.close()
    })()
    return closing
  }
  try {
    if (areNew && (await store.events.wereAny())) logger.warn(NEW_KEYS)
    if (config.MODE === 'gateway' && !namesDemo(given) && (await isDemoOpen(store.accounts, random)))
      throw new ConfigError([DEMO_IN_GATEWAY])
    // Its authenticators are public, so it comes into no database that somebody uses.
    const isDemo = given === undefined && config.MODE !== 'gateway' && (await store.accounts.isEmpty())
    const services = await buildServices({
      config,
      store,
      accounts: given ?? readAccounts({ accounts: isDemo ? [demoAccount] : [] }, 'the demo account'),
      vault,
      logger,
      now: parts.now ?? Date.now,
      uptime: parts.uptime,
      random,
    })
    app = await buildApp(services)
    // What is asked of it while it closes needs the services, which end with the application.
    app.addHook('onClose', () => entitlement?.close())
    const url = await listen(app, { host: config.HOST, port: config.PORT })
    const entitlementUrl = await listenForEntitlements(services, url, given, started => {
      entitlement = started
    })
    return {
      url,
      entitlementUrl,
      isDemo: given === undefined && (await isDemoOpen(store.accounts, random)),
      openToken: token => openToken(vault, token),
      close,
    }
  } catch (error) {
    // An open database would keep the process alive.
    await close()
    throw error
  }
}

/** The entitlement service, where there is one: when the licence endpoints are there, whose URLs it gives out. */
async function listenForEntitlements(
  services: Services,
  url: string,
  accounts: readonly AccountSeed[] | undefined,
  started: (app: FastifyInstance) => void,
): Promise<string | undefined> {
  const { config } = services
  if (config.entitlement === undefined) return undefined
  const { buildEntitlementApp } = await import('./entitlement-app.js')
  const app = await buildEntitlementApp({
    services,
    settings: config.entitlement,
    customerId: customerOf(config.entitlement, accounts),
    licencePort: Number(new URL(url).port),
  })
  started(app)
  return listen(app, { host: config.HOST, port: config.entitlement.port })
}

/** A file that was lost, or a volume that is not mounted. */
const NEW_KEYS =
  'the token keys are new and the database is not: tokens issued before, stored contents and the answers that Idempotency-Keys remember cannot be opened. If this was not meant, stop, and put the former token.keys back into DATA_DIR or give TOKEN_KEYS'

/** An emulator was at work in this database, and now everybody who has read the docs could spend real tokens. */
const DEMO_IN_GATEWAY = `DATABASE_URL: the public demo account is open in this database. Take another for MODE=gateway, or disable account ${demoAccount.id}`

/** Who writes the public authenticators into a file means them. */
function namesDemo(accounts: readonly AccountSeed[] | undefined): boolean {
  return accounts?.some(({ authenticators }) => authenticators.test === demoAccount.authenticators.test) === true
}

/** A gateway that can ask for nobody is no gateway. */
function requireCredentials(accounts: readonly AccountSeed[] | undefined): void {
  if (accounts === undefined) throw new ConfigError(['ACCOUNTS_FILE must be given with MODE=gateway'])
  const missing = missingCredentials(accounts)
  if (missing.length > 0) throw new ConfigError(missing.map(fault => `ACCOUNTS_FILE: ${fault}`))
}

/** Whose tokens the entitlement service gives out. */
function customerOf({ customerId }: EntitlementSettings, accounts: readonly AccountSeed[] | undefined): number {
  if (customerId !== undefined) return customerId
  if (accounts === undefined) return demoAccount.id
  const [only, ...others] = accounts
  if (only !== undefined && others.length === 0) return only.id
  throw new ConfigError(['ENTITLEMENT_ACCOUNT must be given: it is one of several accounts whose tokens are given out'])
}
