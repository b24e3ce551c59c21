import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import type { AccountSeed } from '../schemas/accounts-file.js'
import { openDemo, readAccounts, readAccountsFile } from './accounts/account-seeds.js'
import { demoAccount } from './accounts/demo-account.js'
import { buildApp, buildEntitlementApp } from './app.js'
import { storeCompiled } from './compiled-code.js'
import type { Config } from './config/config.js'
import type { EntitlementSettings } from './config/settings-entitlement.js'
import type { EmulatorControls } from './emulator/server-controls.js'
import { absentPart, controlsOf } from './emulator-controls.js'
import { ConfigError } from './errors/config-error.js'
import { type ClockParts, machineClock } from './ground/clock.js'
import { Closing } from './ground/closing.js'
import type { Environment } from './ground/environment.js'
import type { Logger } from './ground/logger.js'
import { pooledRandomness, type Randomness } from './ground/randomness.js'
import { listen, listenWithTls } from './http/http-server.js'
import type { Events, Requests, StreamOfServer, Watchers } from './journal/watchers.js'
import { buildServices, type Services } from './services.js'
import { openStore } from './store/store.js'
import { openToken, type ReadToken } from './tokens/token-content.js'
import { tokenKeysOf } from './tokens/token-keys.js'
import { TokenVault } from './tokens/vault.js'
import { missingCredentials } from './upstream/upstream-credentials.js'

export interface Server extends EmulatorControls, AsyncDisposable {
  /** Where it listens: `http://127.0.0.1:49152`. */
  readonly url: string
  /** Where it listens with TLS, if it does: `https://127.0.0.1:49153`. */
  readonly tlsUrl?: string | undefined
  /** Where its proxy listens, if it does: `http://127.0.0.1:49154`. */
  readonly proxyUrl?: string | undefined
  /** The authority that clients of `tlsUrl` and of the proxy have to trust, in PEM: with `TLS=development`, or a proxy. */
  readonly ca?: string | undefined
  /** Where the entitlement service listens, if it does. */
  readonly entitlementUrl?: string | undefined
  /** No accounts were given, and the public demo account works. */
  readonly isDemo: boolean
  /** The journal: every request that reached the server. */
  readonly requests: Requests
  /** The events of the transaction log, to search and to wait for. */
  readonly events: Events
  /** What happens, as it happens. */
  readonly stream: StreamOfServer
  /** What a token says that this server issued; `undefined` for every other text. */
  openToken(token: string): ReadToken | undefined
  /** Answers what is under way, refuses what is new, and lets go of the port. */
  close(): Promise<void>
}

/** What the process says of it besides, to the people who start it. */
export interface StartedServer extends Server {
  /** Of every socket: `localhost` is two. */
  readonly addresses: readonly AddressInfo[]
  readonly tlsAddresses: readonly AddressInfo[]
  readonly proxyAddresses: readonly AddressInfo[]
  readonly entitlementAddresses: readonly AddressInfo[]
  /** The environments in which the public demo account works. */
  readonly openDemo: readonly Environment[]
  readonly accounts: number
}

export interface ServerParts extends ClockParts {
  readonly config: Config
  readonly accounts?: readonly AccountSeed[] | undefined
  readonly random?: Randomness | undefined
  readonly logger?: Logger | undefined
  /** The process is there for this server alone, which therefore measures it. */
  readonly ownsProcess?: boolean
}

/** Builds the application with what it needs from outside, and listens. */
export async function serve(parts: ServerParts): Promise<StartedServer> {
  const closing = new Closing()
  // Nothing may stay open after a start that fails: an open database would keep the process alive.
  return start(parts, closing).catch(failure => closing.closeAfter(failure))
}

async function start({ config, ...parts }: ServerParts, closing: Closing): Promise<StartedServer> {
  const random = parts.random ?? pooledRandomness()
  const logger = parts.logger ?? pino({ level: config.LOG_LEVEL })
  const { keys, areNew } = tokenKeysOf(config, random, logger)
  const vault = new TokenVault(keys, random)
  const given =
    parts.accounts ?? (config.ACCOUNTS_FILE === undefined ? undefined : readAccountsFile(config.ACCOUNTS_FILE))
  if (config.MODE === 'gateway') requireCredentials(given)
  const store = await openStore(config.DATABASE_URL)
  closing.add(() => store.close())
  if (areNew && (await store.events.wereAny())) logger.warn(NEW_KEYS)
  if (config.MODE === 'gateway' && !namesDemo(given) && (await openDemo(store.accounts, random)).length > 0)
    throw new ConfigError([DEMO_IN_GATEWAY])
  // Its authenticators are public, so it is never added to a database in use.
  const addsDemo = given === undefined && config.MODE !== 'gateway' && (await store.accounts.count()) === 0
  const services = await buildServices({
    config,
    store,
    accounts: given ?? (addsDemo ? demo() : []),
    seeds: given ?? demo(),
    vault,
    logger,
    clock: machineClock(parts),
    random,
  })
  closing.add(() => services.close())
  if (parts.ownsProcess) services.metrics.measureProcess()
  const listening = await listenOnBoth(services, given, closing)
  const open = await openDemo(store.accounts, random)
  // Its first requests shall be in the cache, too; a test may be over before.
  const storing = services.machine.after(1000, storeCompiled)
  closing.add(() => {
    storing.cancel()
    storeCompiled()
  })
  return {
    ...listening,
    isDemo: given === undefined && open.length > 0,
    openDemo: open,
    accounts: await store.accounts.count(),
    ...(await watchersFor(services)),
    openToken: token => openToken(vault, services.families, token),
    ...controlsOf(services.emulator),
    close: () => closing.close(),
    [Symbol.asyncDispose]: () => closing.close(),
  }
}

type Listening = Pick<
  StartedServer,
  'url' | 'tlsUrl' | 'proxyUrl' | 'ca' | 'entitlementUrl' | 'addresses' | `${'tls' | 'proxy' | 'entitlement'}Addresses`
>

/** Both applications: they drain at the same time, and the services end when neither needs them any more. */
async function listenOnBoth(
  services: Services,
  accounts: readonly AccountSeed[] | undefined,
  closing: Closing,
): Promise<Listening> {
  const { HOST: host, PORT: port, tls, entitlement: settings } = services.config
  const { certificates } = services
  const app = await buildApp(services)
  const entitlement = new Closing()
  closing.add(() => allOf([entitlement.close(), app.close()]))
  // What is asked of it while it closes needs the services, which end with the application.
  app.addHook('onClose', () => entitlement.close())
  const { url, addresses } = await listen(app, { host, port })
  services.ports.plain = Number(new URL(url).port)
  const secure =
    tls === undefined || certificates === undefined
      ? undefined
      : await listenWithTls(app, certificates, { host, port: tls.port })
  if (secure !== undefined) services.ports.tls = Number(new URL(secure.url).port)
  const proxy = await listenForProxy(app, services)
  const both = {
    url,
    addresses,
    tlsUrl: secure?.url,
    proxyUrl: proxy?.url,
    ca: services.proxyCertificates?.ca,
    tlsAddresses: secure?.addresses ?? [],
    proxyAddresses: proxy?.addresses ?? [],
  }
  if (settings === undefined) return { ...both, entitlementAddresses: [] }
  // When the licence endpoints listen, whose URLs it gives out.
  const licencePort = Number(new URL(url).port)
  const customerId = customerOf(settings, accounts)
  const entitlementApp = await buildEntitlementApp({ services, settings, customerId, licencePort })
  entitlement.add(() => entitlementApp.close())
  const where = await listen(entitlementApp, { host, port: settings.port })
  return { ...both, entitlementUrl: where.url, entitlementAddresses: where.addresses }
}

/** Only those who have a proxy wait for it to load. */
async function listenForProxy(
  app: FastifyInstance,
  { config, proxyCertificates: certificates }: Services,
): Promise<Awaited<ReturnType<typeof listen>> | undefined> {
  const {
    PROXY_PORT: port,
    PROXY_HOST: host,
    PROXY_PASS_THROUGH: passesThrough,
    REQUEST_TIMEOUT: requestTimeout,
  } = config
  if (port === undefined || certificates === undefined) return undefined
  const { listenAsProxy } = await import('./http/proxy-server.js')
  return listenAsProxy(app, { certificates, host, port, passesThrough, requestTimeout })
}

/** Those of a gateway without a journal say at their first use that they are not there. */
async function watchersFor({ observation }: Services): Promise<Watchers> {
  if (observation === undefined) {
    const reason = 'a gateway has it with JOURNAL_SIZE above 0'
    return {
      requests: absentPart('requests', reason),
      events: absentPart('events', reason),
      stream: absentPart('stream', reason),
    }
  }
  const { watchersOf } = await import('./journal/library.js')
  return watchersOf(observation)
}

/** Waits for all, and then throws the first failure. */
async function allOf(promises: readonly Promise<void>[]): Promise<void> {
  for (const end of await Promise.allSettled(promises)) if (end.status === 'rejected') throw end.reason
}

function demo(): AccountSeed[] {
  return readAccounts({ accounts: [demoAccount] }, 'the demo account')
}

/** A file that was lost, or a volume that is not mounted. */
const NEW_KEYS =
  'the token keys are new and the database is not: tokens issued before, stored contents and the answers that Idempotency-Keys remember cannot be opened. If this was not meant, stop, and put the former token.keys back into DATA_DIR or give TOKEN_KEYS'

/** An emulator was at work in this database, and now everybody who has read the docs could spend real tokens. */
const DEMO_IN_GATEWAY = `DATABASE_URL: the public demo account is open in this database. Take another for MODE=gateway, or disable account ${demoAccount.id}`

/** Who writes the public authenticators into a file means them. */
function namesDemo(accounts: readonly AccountSeed[] | undefined): boolean {
  const { test } = demoAccount.authenticators
  return (accounts ?? []).some(({ authenticators }) => authenticators.test?.some(one => one.authenticator === test))
}

/** A gateway needs at least one account with upstream credentials. */
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
