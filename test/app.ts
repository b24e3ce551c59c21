import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { pino } from 'pino'
import type { Test } from 'tap'
import { readAccounts } from '../src/accounts/account-seeds.js'
import { buildApp, buildEntitlementApp } from '../src/app.js'
import { type Config, readConfig } from '../src/config/config.js'
import type { Families } from '../src/drm/families.js'
import type { TokenFamily } from '../src/drm/family.js'
import { playready } from '../src/drm/playready-family.js'
import { machineClock } from '../src/ground/clock.js'
import { pooledRandomness, type Randomness, randomBytes } from '../src/ground/randomness.js'
import type { ServerOptions } from '../src/index.js'
import type { KeyStorage } from '../src/keys/key-storage.js'
import type { Ledger } from '../src/ledger/ledger.js'
import { buildServices, type Services } from '../src/services.js'
import { openStore, type Store } from '../src/store/store.js'
import { TokenVault } from '../src/tokens/vault.js'
import { accounts, type Change, form, NOON, SecretRegister } from './harness.js'

export interface AppOptions extends Pick<ServerOptions, 'settings' | 'accounts' | 'now' | 'uptime'> {
  /** Whether `now` stands for the clock of a machine, which is compared with the database's. */
  readonly isMachineClock?: boolean
  /** Instead of the DRMs that there are. */
  readonly families?: Families
  /** A service that a gateway asks: the application is one then. */
  readonly upstream?: string
  /** Changes what no setting can: the hosts of the real service. */
  readonly configured?: (config: Config) => Config
  readonly faults?: Faults
  /** A store that outlives the application; without it one in memory. */
  readonly store?: Store
  /** Without it one with a key of its own. */
  readonly vault?: TokenVault
}

/** What stands in for a part of the application, to fail as that part may. */
export interface Faults {
  readonly ledger?: Ledger
  readonly keyStorage?: KeyStorage
  readonly store?: Partial<Store>
  /** Where the vault has its randomness from. */
  readonly sealing?: Randomness
}

export interface TestApp {
  readonly app: FastifyInstance
  /** The entitlement service beside it, where the settings have one. */
  readonly entitlement: FastifyInstance | undefined
  readonly services: Services
  /** Everything that was logged so far. */
  readonly log: readonly string[]
  /** What must not be found in the log or the metrics either, where a test sends it by itself. */
  keepSecret(secret: string): void
  /** A token request. */
  ask(change?: Change, headers?: Record<string, string>, family?: TokenFamily): Promise<LightMyRequestResponse>
  /** Makes it listen on a free port, and returns its URL. */
  listen(): Promise<string>
}

const CUSTOMER_ID = 201722
const LICENCE_PORT = 8080

/**
 * The application inside the test: without a socket, in memory, at noon, with every part as it is or as `faults` makes
 * it. It ends with the test; then its log and metrics are searched for secrets. What needs the whole server, as it
 * listens, has `startTestServer`.
 */
export async function appWith(t: Test, options: AppOptions = {}): Promise<TestApp> {
  const {
    settings,
    upstream,
    faults = {},
    accounts: given = accounts,
    now = () => NOON,
    uptime,
    configured = config => config,
  } = options
  const random = pooledRandomness()
  const log: string[] = []
  const gateway = upstream === undefined ? {} : { MODE: 'gateway', UPSTREAM_TEST_URL: upstream }
  const config = configured(readConfig({ LOG_LEVEL: 'trace', ...gateway, ...settings }))
  const store = options.store ?? (await openStore('memory:'))
  const services = await buildServices({
    config,
    store: { ...store, ...faults.store },
    accounts: readAccounts({ accounts: given }, 'the test'),
    vault: options.vault ?? new TokenVault([randomBytes(random, 32)], faults.sealing ?? random),
    logger: pino({ level: config.LOG_LEVEL }, { write: line => void log.push(line) }),
    clock: { ...machineClock({ now, uptime }), ...(options.isMachineClock && { isMachineClock: true }) },
    random,
    families: options.families,
    ledger: faults.ledger,
    keyStorage: faults.keyStorage,
  })
  const app = await buildApp(services)
  const entitlement =
    config.entitlement &&
    (await buildEntitlementApp({
      services,
      settings: config.entitlement,
      customerId: CUSTOMER_ID,
      licencePort: LICENCE_PORT,
    }))

  const secrets = new SecretRegister()
  for (const { authenticators } of given)
    for (const one of Object.values(authenticators)) if (typeof one === 'string') secrets.add(one)
  t.teardown(async () => {
    const metrics = await services.metrics.registry.metrics()
    await entitlement?.close()
    await app.close()
    if (options.store === undefined) await store.close()
    if (secrets.isIn([...log, metrics].join('\n'))) throw new Error('a secret is in the log or the metrics')
  })

  return {
    app,
    entitlement,
    services,
    log,
    keepSecret: secret => secrets.add(secret),
    ask: async (change = {}, headers = {}, family = playready) => {
      const query = secrets.noting(form(change, family))
      const answer = await app.inject({ url: `${family.tokenPath}?${query}`, headers })
      const issued =
        family.answer.read(answer.body) ?? (answer.statusCode === 200 ? answer.json<{ token?: string }>() : {})
      if (issued.token !== undefined) secrets.add(issued.token)
      return answer
    },
    listen: () => app.listen({ host: '127.0.0.1', port: 0 }),
  }
}
