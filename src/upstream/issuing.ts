import type { Config } from '../config/config.js'
import { clearKeyUrl } from '../drm/licence-urls.js'
import { CLEAR_KEY } from '../ground/drms.js'
import type { Issuing, IssuingParts } from '../issuing-parts.js'
import { UpstreamCredentials } from './credentials.js'
import { DirectUpstream } from './direct.js'
import { LicenceForwarding } from './licence-forwarding.js'
import { asTold, hidden, hiddenInReplay } from './licence-url.js'
import { realUpstream } from './real-upstream.js'
import { ReplayedExchange } from './replayed-exchange.js'
import { Settlements } from './settlements.js'
import { noDevices, UpstreamDevices } from './upstream-devices.js'
import { UpstreamIssuer } from './upstream-issuer.js'

/** Tokens of the real service. */
export function gatewayIssuing(config: ConfigOf<'gateway'>, parts: IssuingParts): Issuing {
  const { ledger, metrics, logger, now, sharedNow, uptime } = parts
  const settings = config.upstream
  const upstream = realUpstream({ settings, recordDir: config.RECORD_DIR, metrics, logger, now, uptime })
  const credentials = new UpstreamCredentials(parts.accounts, logger)
  const authenticatorOf = credentials.of.bind(credentials)
  const { unknownParameters, licences } = settings
  const hiding = { licences, publicUrl: config.PUBLIC_URL, environment: config.ENVIRONMENT, logger }
  const settlements = new Settlements({ ledger, logger, now })
  const issuer = new UpstreamIssuer({
    upstream,
    authenticatorOf,
    unknownParameters,
    licenceUrl: config.HIDE_UPSTREAM ? hidden(hiding) : asTold,
    ledger,
    settlements,
    logger,
    now,
    sharedNow,
  })
  return {
    issuer,
    upstream,
    licences: new LicenceForwarding(settings, parts.families, metrics),
    devices: new UpstreamDevices({ settings, authenticatorOf, logger }),
    clearKeyUrl: (family, url, environment) =>
      licences[environment][CLEAR_KEY] === undefined ? undefined : clearKeyUrl(family, url),
    close: () => closeInTurn(issuer, settlements),
  }
}

/** Tokens that the real service issued once. They are of no use here or anywhere. */
export function replayIssuing(config: ConfigOf<'replay'>, { ledger, logger, now, sharedNow }: IssuingParts): Issuing {
  const upstream = new DirectUpstream(new ReplayedExchange(config.RECORD_DIR, now))
  const nobody = () => ''
  const { PUBLIC_URL: publicUrl, ENVIRONMENT: environment } = config
  const settlements = new Settlements({ ledger, logger, now })
  const issuer = new UpstreamIssuer({
    upstream,
    authenticatorOf: nobody,
    unknownParameters: config.UPSTREAM_UNKNOWN_PARAMETERS,
    licenceUrl: config.HIDE_UPSTREAM ? hiddenInReplay({ publicUrl, environment }) : asTold,
    ledger,
    settlements,
    logger,
    now,
    sharedNow,
  })
  return {
    issuer,
    upstream,
    devices: noDevices,
    clearKeyUrl: () => undefined,
    close: () => closeInTurn(issuer, settlements),
  }
}

type ConfigOf<M extends Config['MODE']> = Extract<Config, { readonly MODE: M }>

async function closeInTurn(issuer: UpstreamIssuer, settlements: Settlements): Promise<void> {
  await issuer.close()
  await settlements.close()
}
