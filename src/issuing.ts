import type { Logger } from 'pino'
import type { AccountSeed } from '../schemas/accounts-file.js'
import type { Now } from '../schemas/rules.js'
import type { Config } from './config.js'
import type { Devices } from './entitlement/devices.js'
import type { Environment } from './environment.js'
import type { Ledger } from './ledger/ledger.js'
import { clearKeyUrl } from './licence-urls.js'
import type { Metrics } from './metrics.js'
import { EmulatedIssuer } from './tokens/emulated-issuer.js'
import type { TokenIssuer } from './tokens/issuer.js'
import type { TokenVault } from './tokens/vault.js'
import { UpstreamCredentials } from './upstream/credentials.js'
import { DirectUpstream } from './upstream/direct.js'
import { LicenceForwarding } from './upstream/licence-forwarding.js'
import { asTold, hidden, hiddenInReplay } from './upstream/licence-url.js'
import { realUpstream } from './upstream/real-upstream.js'
import { ReplayedExchange } from './upstream/replayed-exchange.js'
import { Settlements } from './upstream/settlements.js'
import { noDevices, UpstreamDevices } from './upstream/upstream-devices.js'
import { type Upstream, UpstreamIssuer } from './upstream/upstream-issuer.js'

export interface IssuingParts {
  readonly config: Config
  readonly accounts: readonly AccountSeed[]
  readonly vault: TokenVault
  readonly ledger: Ledger
  readonly metrics: Metrics
  readonly logger: Logger
  readonly now: Now
  /** Counts milliseconds steadily, whatever `now` is made to say. */
  readonly uptime: () => number
}

export interface Issuing {
  readonly issuer: TokenIssuer
  /** The service that is asked, where there is one. */
  readonly upstream?: Upstream
  /** Brings key requests to it, where licences are its matter. */
  readonly licences?: LicenceForwarding
  /** The devices of a cookie, where it is not our log that knows them. */
  readonly devices?: Devices
  /** Where Clear Key clients reach whoever has this URL for PlayReady clients, if anybody knows Clear Key there. */
  clearKeyUrl(licenceUrl: string, environment: Environment): string | undefined
  /** Waits for what is under way there. */
  close?(): Promise<void>
}

/** Makes tokens, asks for them, or tells what was answered once: the mode decides it here and nowhere else. */
export function issuing(parts: IssuingParts): Issuing {
  const { config, vault, ledger, metrics, logger, now, uptime } = parts
  const settlements = new Settlements({ ledger, logger, now })
  const closing = (issuer: UpstreamIssuer) => async () => {
    await issuer.close()
    await settlements.close()
  }
  switch (config.MODE) {
    case 'emulate':
      return { issuer: new EmulatedIssuer({ vault, ledger, now, publicUrl: config.PUBLIC_URL }), clearKeyUrl }
    case 'gateway': {
      const settings = config.upstream
      const upstream = realUpstream({ settings, recordDir: config.RECORD_DIR, metrics, logger, now, uptime })
      const credentials = new UpstreamCredentials(parts.accounts, logger)
      const authenticatorOf = credentials.of.bind(credentials)
      const { unknownParameters, licences } = settings
      const hiding = { licences, publicUrl: config.PUBLIC_URL, environment: config.ENVIRONMENT, logger }
      const issuer = new UpstreamIssuer({
        upstream,
        authenticatorOf,
        unknownParameters,
        licenceUrl: config.HIDE_UPSTREAM ? hidden(hiding) : asTold,
        ledger,
        settlements,
        logger,
        now,
      })
      return {
        issuer,
        upstream,
        licences: new LicenceForwarding(settings, metrics),
        devices: new UpstreamDevices({ settings, authenticatorOf, logger }),
        clearKeyUrl: (url, environment) =>
          licences[environment].clearkey === undefined ? undefined : clearKeyUrl(url),
        close: closing(issuer),
      }
    }
    case 'replay': {
      const upstream = new DirectUpstream(new ReplayedExchange(config.RECORD_DIR, now))
      const nobody = () => ''
      const issuer = new UpstreamIssuer({
        upstream,
        authenticatorOf: nobody,
        unknownParameters: config.UPSTREAM_UNKNOWN_PARAMETERS,
        licenceUrl: config.HIDE_UPSTREAM
          ? hiddenInReplay({ publicUrl: config.PUBLIC_URL, environment: config.ENVIRONMENT })
          : asTold,
        ledger,
        settlements,
        logger,
        now,
      })
      // The recorded tokens are of no use here or anywhere.
      return { issuer, upstream, devices: noDevices, clearKeyUrl: () => undefined, close: closing(issuer) }
    }
  }
}
