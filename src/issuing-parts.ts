import type { AccountSeed } from '../schemas/accounts-file.js'
import type { Config } from './config/config.js'
import type { Families } from './drm/families.js'
import type { TokenFamily } from './drm/family.js'
import type { OwnPorts } from './drm/licence-urls.js'
import type { Devices } from './entitlement/devices.js'
import type { Clock, Now } from './ground/clock.js'
import type { Environment } from './ground/environment.js'
import type { Logger } from './ground/logger.js'
import type { Randomness } from './ground/randomness.js'
import type { Ledger } from './ledger/ledger.js'
import type { Metrics } from './metrics.js'
import type { TokenIssuer } from './tokens/issuer.js'
import type { TokenVault } from './tokens/vault.js'
import type { LicenceForwarding } from './upstream/licence-forwarding.js'
import type { Upstream } from './upstream/upstream-issuer.js'

export interface IssuingParts {
  readonly ports: OwnPorts
  readonly config: Config
  readonly accounts: readonly AccountSeed[]
  readonly families: Families
  readonly vault: TokenVault
  readonly ledger: Ledger
  readonly metrics: Metrics
  readonly logger: Logger
  readonly clock: Clock
  /** As all instances on the database have it. */
  readonly sharedNow: Now
  readonly random: Randomness
}

export interface Issuing {
  readonly issuer: TokenIssuer
  /** The service that is asked, where there is one. */
  readonly upstream?: Upstream
  /** Brings key requests to it, where licences are its matter. */
  readonly licences?: LicenceForwarding
  /** The devices of a cookie, where it is not our log that knows them. */
  readonly devices?: Devices
  /** Where Clear Key clients reach the service that has this licence URL for a family's own, if it knows Clear Key. */
  clearKeyUrl(family: TokenFamily, licenceUrl: string, environment: Environment): string | undefined
  /** Replays recordings from the first on again, where there are any. */
  restart?(): void
  /** Waits for what is under way there. */
  close?(): Promise<void>
}
