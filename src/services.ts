import type { AccountSeed } from '../schemas/accounts-file.js'
import { AccountDirectory } from './accounts/account-directory.js'
import { applySeeds } from './accounts/account-seeds.js'
import { AccountAdministration } from './accounts/administration.js'
import { authenticatorHasher, saltOf } from './accounts/authenticators.js'
import type { ServedCertificates } from './certificates/served-certificates.js'
import type { Config } from './config/config.js'
import { Families } from './drm/families.js'
import type { OwnPorts } from './drm/licence-urls.js'
import type { EmulatedClock } from './emulator/emulated-clock.js'
import type { Emulator } from './emulator/emulator.js'
import type { EmulatorServicesParts } from './emulator-services.js'
import { ContentsResealing } from './entitlement/catalogue/contents-resealing.js'
import { StoredContents } from './entitlement/catalogue/stored-contents.js'
import type { Clock } from './ground/clock.js'
import { Closing } from './ground/closing.js'
import type { Logger } from './ground/logger.js'
import type { Randomness } from './ground/randomness.js'
import { ClaimedKeys } from './idempotency/claimed-keys.js'
import { Fingerprints } from './idempotency/fingerprints.js'
import { Idempotency } from './idempotency/idempotent-requests.js'
import { issuing } from './issuing.js'
import type { Observation } from './journal/observation.js'
import { type KeyStorage, StoredKeys } from './keys/key-storage.js'
import { KEY_STYLES } from './keys/key-styles.js'
import { AbandonedTokens } from './ledger/abandoned-tokens.js'
import { GroupLedger } from './ledger/group-ledger.js'
import type { Ledger } from './ledger/ledger.js'
import { PlausibleClock } from './ledger/plausible-clock.js'
import { RecordLookUp } from './ledger/record-look-up.js'
import { Retention } from './ledger/retention.js'
import { AccountLimit, AddressLimit } from './limits/rate-limits.js'
import { Metrics } from './metrics.js'
import type { Store } from './store/store.js'
import { RepeatedRefusals } from './tokens/repeated-refusals.js'
import { TokenRedemption } from './tokens/token-redemption.js'
import { TokenRequests } from './tokens/token-requests.js'
import type { TokenVault } from './tokens/vault.js'

export interface ServiceParts {
  readonly config: Config
  readonly store: Store
  /** Accounts that are added where there are none with their ids. */
  readonly accounts: readonly AccountSeed[]
  /** Those that an emulator has after a reset, where these are others. */
  readonly seeds?: readonly AccountSeed[] | undefined
  readonly vault: TokenVault
  readonly logger: Logger
  /** The machine's; an emulator's is put over it. */
  readonly clock: Clock
  readonly random: Randomness
  /** Instead of all that there are. */
  readonly families?: Families | undefined
  /** Instead of the store's. */
  readonly ledger?: Ledger | undefined
  /** Instead of the store's. */
  readonly keyStorage?: KeyStorage | undefined
}

export type Services = Awaited<ReturnType<typeof buildServices>>

/** What the routes call, built from a configuration; the listener starts and stops it. */
export async function buildServices(parts: ServiceParts) {
  const closing = new Closing()
  return openServices(parts, closing).catch(failure => closing.closeAfter(failure))
}

async function openServices({ config, store, vault, logger, random, ...parts }: ServiceParts, closing: Closing) {
  const machine = parts.clock
  const emulatedClock = await emulatedClockOf(config, machine)
  const clock = emulatedClock ?? machine
  const askedService = await askedServiceOf({ config, random, logger })
  closing.add(() => askedService?.close())
  const salt = await saltOf(store.accounts, random)
  const hash = authenticatorHasher(salt)
  const { now } = clock
  const observation = await observationOf({ config, store, clock, random })
  closing.add(() => observation?.close())
  const accounts = new AccountDirectory({ repository: store.accounts, hash, clock })
  const administration = new AccountAdministration({
    repository: store.accounts,
    hash,
    now,
    random,
    overlapSeconds: config.AUTHENTICATOR_OVERLAP,
    changed: id => {
      accounts.clearCache()
      observation?.stream.publish('account', () => ({ customer: id }))
    },
  })
  await applySeeds(parts.accounts, administration)

  const ports: OwnPorts = {}
  const plausible = new PlausibleClock({ memory: store.clock, clock: machine, now, logger })
  await plausible.compare()
  const { sharedNow } = plausible
  const keys = new StoredKeys({
    repository: store.keys,
    now: sharedNow,
    random,
    style: KEY_STYLES[config.KEYSTORE_STYLE],
  })
  const keyStorage = parts.keyStorage ?? keys
  const families = parts.families ?? new Families()
  const metrics = new Metrics()
  const ledger =
    parts.ledger ??
    new GroupLedger(store.events, random, event => {
      metrics.eventWritten(event)
      observation?.tap.written(event)
    })
  const issued = await issuing({
    config,
    accounts: parts.accounts,
    families,
    vault,
    ledger,
    metrics,
    logger,
    clock,
    sharedNow,
    random,
    ports,
  })
  closing.add(() => issued.devices?.close?.())
  closing.add(() => issued.licences?.close())
  closing.add(() => issued.close?.())
  const claimedKeys = new ClaimedKeys({
    repository: store.idempotency,
    fingerprints: new Fingerprints(salt),
    seal: vault.texts,
    seconds: config.IDEMPOTENCY_SECONDS,
    logger,
    now: sharedNow,
    random,
  })
  const idempotency = new Idempotency(claimedKeys, clock)
  const certificates = await certificatesOf(config, { clock: machine, logger })
  closing.add(() => certificates?.close())
  // A proxy speaks for other names than those of a certificate of one's own.
  const ownsNames = config.PROXY_PORT === undefined || config.tls?.kind === 'development'
  const proxyCertificates = ownsNames ? certificates : await localCertificates(config)
  closing.add(() => proxyCertificates?.close())
  const limit = new AccountLimit({ perMinute: config.RATE_LIMIT_PER_ACCOUNT, clock, metrics })
  const { issuer } = issued
  const strictParameters = config.STRICT_PARAMETERS
  const requestParts = { accounts, limit, keyStorage, issuer, idempotency, ledger, now, strictParameters }
  const requests = families.tokens.map(family => new TokenRequests(family, requestParts))
  closing.add(() => Promise.all(requests.map(one => one.close())))
  const refusals = new RepeatedRefusals({ metrics, logger, clock })
  closing.add(() => refusals.close())
  const abandoned = new AbandonedTokens({ pendingTokens: store.pendingTokens, ledger, now: sharedNow, logger })
  const resealing = new ContentsResealing({ repository: store.contents, seal: vault.texts, clock, logger })
  for (const warning of store.warnings) logger.warn(warning)
  const retention = new Retention({ ...store, clock, plausible, abandoned, days: config.LOG_RETENTION_DAYS, logger })
  closing.add(() => retention.stop())
  closing.add(() => resealing.stop())
  const addresses = new AddressLimit({ perMinute: config.RATE_LIMIT_PER_ADDRESS, clock, metrics })
  const { redemptions } = store
  const redemption = new TokenRedemption({
    vault,
    families,
    accounts,
    ledger,
    refusals,
    redemptions,
    askedService,
    now,
  })
  const emulator = await emulatorOf(emulatedClock, {
    config,
    store,
    accounts,
    limit,
    addresses,
    retention,
    refusals,
    random,
    vault,
    families,
    redemption,
    issued,
    observation,
    hash,
    asksEntitlement: askedService !== undefined,
    seeds: parts.seeds ?? parts.accounts,
  })

  return {
    config,
    store,
    ports,
    certificates,
    proxyCertificates,
    emulator,
    observation,
    journal: observation?.journal,
    accounts,
    administration,
    keys,
    keyStorage,
    contents: new StoredContents({ repository: store.contents, seal: vault.texts, now, logger }),
    families,
    metrics,
    ledger,
    issuing: issued,
    limit,
    addresses,
    requests,
    redemption,
    lookUp: new RecordLookUp(store.events),
    retention,
    resealing,
    logger,
    now,
    clock,
    machine,
    sharedNow,
    random,
    /** Waits for what is under way, so that all of it is in the log. */
    close: () => closing.close(),
  }
}

/** Only those who ask one wait for its libraries to load. */
async function askedServiceOf({ config, random, logger }: Pick<ServiceParts, 'config' | 'random' | 'logger'>) {
  const settings = config.askedEntitlement
  if (settings === undefined) return undefined
  const { AskedService } = await import('./entitlement/asked-service.js')
  return new AskedService({ settings, random, logger })
}

/** A gateway has none, and loads nothing of it. */
async function emulatedClockOf({ MODE }: Config, machine: Clock): Promise<EmulatedClock | undefined> {
  if (MODE === 'gateway') return undefined
  const { EmulatedClock } = await import('./emulator/emulated-clock.js')
  return new EmulatedClock(machine)
}

async function emulatorOf(
  clock: EmulatedClock | undefined,
  parts: Omit<EmulatorServicesParts, 'clock'>,
): Promise<Emulator | undefined> {
  if (clock === undefined) return undefined
  const { buildEmulator } = await import('./emulator-services.js')
  return buildEmulator({ ...parts, clock })
}

/** A gateway without a journal loads nothing of it. */
async function observationOf({
  config: { MODE, JOURNAL_SIZE: size },
  store: { events },
  ...parts
}: Pick<ServiceParts, 'config' | 'store' | 'clock' | 'random'>): Promise<Observation | undefined> {
  if (MODE === 'gateway' && size === 0) return undefined
  const { Observation } = await import('./journal/observation.js')
  return new Observation({ size, events, ...parts })
}

/** What the TLS listener presents. Only those who have one wait for the libraries to load. */
async function certificatesOf(
  config: Config,
  parts: { readonly clock: Clock; readonly logger: Logger },
): Promise<ServedCertificates | undefined> {
  const { tls } = config
  if (tls?.kind === 'development') return localCertificates(config)
  if (tls === undefined) return undefined
  const { FileCertificates } = await import('./certificates/file-certificates.js')
  return new FileCertificates({ ...tls, ...parts })
}

async function localCertificates({ DATA_DIR }: Config): Promise<ServedCertificates> {
  const { LocalCertificates } = await import('./certificates/local-certificates.js')
  return LocalCertificates.open(DATA_DIR)
}
