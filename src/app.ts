import formbody from '@fastify/formbody'
import fastify, { type FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { adminRoutes } from '../routes/admin.js'
import { answering, refuseBadUrl } from '../routes/answering.js'
import { refuseBadHttp } from '../routes/bad-http.js'
import { docsRoutes } from '../routes/docs.js'
import { draining } from '../routes/draining.js'
import { forwardedLicenceRoutes } from '../routes/forwarded-licences.js'
import { keystoreRoutes } from '../routes/keystore.js'
import { licenceRoutes } from '../routes/licences.js'
import { limiting } from '../routes/limiting.js'
import { operationsRoutes } from '../routes/operations.js'
import { playerRoutes } from '../routes/player.js'
import { recordRoutes } from '../routes/records.js'
import { tokenRoutes } from '../routes/token.js'
import { toolRoutes } from '../routes/tools.js'
import type { AccountSeed } from '../schemas/accounts-file.js'
import type { Now } from '../schemas/rules.js'
import { TokenRequestSchema } from '../schemas/token-request.js'
import { AccountAdministration } from './accounts/administration.js'
import { authenticatorHasher, saltOf } from './accounts/authenticators.js'
import { AccountDirectory } from './accounts/directory.js'
import { applySeeds } from './accounts/seeds.js'
import { adminAccess } from './admin-access.js'
import type { Config } from './config.js'
import { ClaimedKeys } from './idempotency/claimed-keys.js'
import { Fingerprints } from './idempotency/fingerprints.js'
import { Idempotency } from './idempotency/idempotency.js'
import { issuing } from './issuing.js'
import { type KeyStorage, StoredKeys } from './keys/key-storage.js'
import { AbandonedTokens } from './ledger/abandoned-tokens.js'
import { GroupLedger } from './ledger/group-ledger.js'
import type { Ledger } from './ledger/ledger.js'
import { LookUp } from './ledger/look-up.js'
import { RecordedRedemptions } from './ledger/redemptions.js'
import { Retention } from './ledger/retention.js'
import { AccountLimit, AddressLimit } from './limits/rate-limits.js'
import { Metrics } from './metrics.js'
import type { Randomness } from './randomness.js'
import { requestIds } from './request-ids.js'
import type { Store } from './store/store.js'
import { TokenRedemption } from './tokens/redeem.js'
import { TokenRequests } from './tokens/request.js'
import type { TokenVault } from './tokens/vault.js'
import { packageVersion } from './version.js'

export interface AppParts {
  readonly config: Config
  readonly store: Store
  /** Accounts that are added where there are none with their ids. */
  readonly accounts: readonly AccountSeed[]
  readonly vault: TokenVault
  readonly logger: Logger
  readonly now: Now
  readonly random: Randomness
  /** Counts milliseconds steadily, whatever `now` is made to say. */
  readonly uptime?: (() => number) | undefined
  /** Instead of the store's. */
  readonly ledger?: Ledger | undefined
  /** Instead of the store's. */
  readonly keyStorage?: KeyStorage | undefined
}

/** The application: built from a configuration, listening nowhere. */
export async function buildApp({ config, store, accounts: seeds, vault, logger, now, random, ...parts }: AppParts) {
  const salt = await saltOf(store.accounts, random)
  const hash = authenticatorHasher(salt)
  const uptime = parts.uptime ?? (() => performance.now())
  const accounts = new AccountDirectory({ repository: store.accounts, hash, now, uptime })
  const administration = new AccountAdministration({
    repository: store.accounts,
    hash,
    now,
    random,
    overlapSeconds: config.AUTHENTICATOR_OVERLAP,
    changed: () => accounts.forget(),
  })
  await applySeeds(seeds, administration)

  const keys = new StoredKeys({ repository: store.keys, now, random })
  const schema = new TokenRequestSchema(now)
  const metrics = new Metrics()
  const ledger = parts.ledger ?? new GroupLedger(store.events, random)
  const { issuer, upstream, ...issuers } = issuing({
    config,
    accounts: seeds,
    vault,
    ledger,
    metrics,
    logger,
    now,
    uptime,
  })
  const claimedKeys = new ClaimedKeys({
    repository: store.idempotency,
    fingerprints: new Fingerprints(salt),
    seal: vault.texts,
    seconds: config.IDEMPOTENCY_SECONDS,
    logger,
    now,
    random,
  })
  const idempotency = new Idempotency(claimedKeys, uptime)
  const limit = new AccountLimit({ perMinute: config.RATE_LIMIT_PER_ACCOUNT, uptime, metrics })
  const requests = new TokenRequests(schema, {
    accounts,
    limit,
    keyStorage: parts.keyStorage ?? keys,
    issuer,
    idempotency,
    ledger,
    now,
  })
  const redemptions = new RecordedRedemptions(ledger, store.redemptions)

  const app = httpServer(config, random, logger)
  await app.register(formbody)
  await app.register(answering, { logger, metrics })
  await app.register(draining)
  const addresses = new AddressLimit({ perMinute: config.RATE_LIMIT_PER_ADDRESS, uptime, metrics })
  await app.register(limiting, { addresses })
  await app.register(tokenRoutes, {
    schema,
    requests,
    metrics,
    environment: config.ENVIRONMENT,
    clearKeyUrl: issuers.clearKeyUrl,
    readsIdempotencyKey: config.IDEMPOTENCY_SECONDS > 0,
  })
  const callers = { accounts, limit, environment: config.ENVIRONMENT }
  await app.register(recordRoutes, { ...callers, lookUp: new LookUp(store.events) })
  await app.register(keystoreRoutes, { ...callers, prefix: '/keystore', keys, logger })
  await app.register(toolRoutes, { prefix: '/tools', publicUrl: config.PUBLIC_URL })
  const { licences } = issuers
  const players = { metrics, origins: config.CORS_ORIGINS }
  if (licences === undefined)
    await app.register(licenceRoutes, {
      ...players,
      redemption: new TokenRedemption({ vault, accounts, ledger, redemptions, now }),
      believesDeviceHeader: true,
    })
  else await app.register(forwardedLicenceRoutes, { ...players, licences, logger, environment: config.ENVIRONMENT })
  const access = adminAccess(config.ADMIN_TOKEN, config.MODE !== 'gateway')
  if (access !== undefined) await app.register(adminRoutes, { prefix: '/admin/api', administration, access })
  await app.register(playerRoutes, { accounts, environment: config.ENVIRONMENT })
  await app.register(operationsRoutes, { metrics, store, upstream })
  await app.register(docsRoutes, { version: packageVersion() })
  const abandoned = new AbandonedTokens({ ...store, now, logger })
  const retention = new Retention({ ...store, abandoned, days: config.LOG_RETENTION_DAYS, now, logger })
  app.addHook('onReady', async () => retention.start())
  app.addHook('onClose', async () => {
    await requests.close()
    await issuers.close?.()
    await licences?.close()
    await retention.stop()
  })
  return app
}

/** Fastify without what it does by itself: its own log lines (they hold URLs), JSON bodies. */
function httpServer(config: Config, random: Randomness, logger: Logger): FastifyInstance {
  const newRequestId = requestIds(random)
  const app = fastify({
    logger: false,
    genReqId: newRequestId,
    bodyLimit: config.BODY_LIMIT,
    trustProxy: config.TRUSTED_PROXIES ?? false,
    // Many KIDs in one path: what bounds them is how long a request's head may be.
    routerOptions: { maxParamLength: 16_384 },
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    requestTimeout: 30_000,
    frameworkErrors: refuseBadUrl(logger),
    clientErrorHandler: refuseBadHttp(newRequestId),
  })
  app.removeAllContentTypeParsers()
  // An expectation that we do not know is no reason to refuse (RFC 9110, 10.1.1), least of all past our own answers.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  return app
}
