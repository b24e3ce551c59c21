import type { Config } from '../config/config.js'
import { RemoteService } from '../connections/remote-service.js'
import { clearKeyUrl } from '../drm/licence-urls.js'
import { CLEAR_KEY } from '../ground/drms.js'
import type { Environment } from '../ground/environment.js'
import type { Logger } from '../ground/logger.js'
import type { Issuing, IssuingParts } from '../issuing-parts.js'
import type { CircuitState } from './circuit-breaker.js'
import { hidden, hiddenInReplay, unhidden } from './hidden-licence-url.js'
import { LicenceForwarding } from './licence-forwarding.js'
import { Recorder, recordedExchange } from './recordings/recorder.js'
import { Replay } from './recordings/replay.js'
import { Settlements } from './settlements.js'
import { httpExchange, MAX_TOKEN_ANSWER } from './token-exchange.js'
import { TokenHost } from './token-host.js'
import { TokenHosts } from './token-hosts.js'
import { UpstreamCredentials } from './upstream-credentials.js'
import { noDevices, UpstreamDevices } from './upstream-devices.js'
import { type Upstream, UpstreamIssuer, type UpstreamIssuerParts } from './upstream-issuer.js'
import { type HostPlace, UpstreamMetrics } from './upstream-metrics.js'

type ConfigOf<M extends Config['MODE']> = Extract<Config, { readonly MODE: M }>

/** Tokens issued by the real service. */
export function gatewayIssuing(config: ConfigOf<'gateway'>, parts: IssuingParts): Issuing {
  const { logger, clock, ports } = parts
  const { upstream: settings, PUBLIC_URL: publicUrl, ENVIRONMENT: environment } = config
  const { unknownParameters, licences } = settings
  const credentials = new UpstreamCredentials(parts.accounts, logger)
  const authenticatorOf = credentials.of.bind(credentials)
  return {
    ...issuingFrom(realUpstream(config, parts), parts, {
      authenticatorOf,
      unknownParameters,
      licenceUrl: config.HIDE_UPSTREAM ? hidden({ licences, publicUrl, ports, environment, logger }) : unhidden,
    }),
    licences: new LicenceForwarding(settings, parts),
    devices: new UpstreamDevices({ settings, authenticatorOf, clock, logger }),
    clearKeyUrl: (family, url, environment) =>
      licences[environment].has(CLEAR_KEY) ? clearKeyUrl(family, url) : undefined,
  }
}

/** Recorded tokens of the real service. No player can use them. */
export function replayIssuing(config: ConfigOf<'replay'>, parts: IssuingParts): Issuing {
  const { PUBLIC_URL: publicUrl, ENVIRONMENT: environment } = config
  const replay = new Replay(config.RECORD_DIR, parts.clock.now)
  return {
    ...issuingFrom(replay, parts, {
      authenticatorOf: () => '',
      unknownParameters: config.UPSTREAM_UNKNOWN_PARAMETERS,
      licenceUrl: config.HIDE_UPSTREAM ? hiddenInReplay({ publicUrl, ports: parts.ports, environment }) : unhidden,
    }),
    devices: noDevices,
    clearKeyUrl: () => undefined,
    restart: () => replay.restart(),
  }
}

function issuingFrom(
  upstream: Upstream,
  { ledger, logger, clock, sharedNow }: IssuingParts,
  asking: Pick<UpstreamIssuerParts, 'authenticatorOf' | 'unknownParameters' | 'licenceUrl'>,
) {
  const settlements = new Settlements({ ledger, logger, clock })
  const issuer = new UpstreamIssuer({ ...asking, upstream, ledger, settlements, logger, now: clock.now, sharedNow })
  const close = async () => {
    await upstream.close()
    await settlements.close()
  }
  return { issuer, upstream, close }
}

function realUpstream({ upstream: settings, RECORD_DIR }: ConfigOf<'gateway'>, parts: IssuingParts): Upstream {
  const { metrics, logger, clock, random } = parts
  const recorder = RECORD_DIR === undefined ? undefined : new Recorder(RECORD_DIR, logger)
  const upstreamMetrics = new UpstreamMetrics(metrics.registry, () => hosts.all)
  const hostOf = (environment: Environment, url: URL): TokenHost => {
    const place = { environment, host: url.host }
    const service = new RemoteService({ ...settings, url, clock, largestAnswer: MAX_TOKEN_ANSWER })
    const exchange = httpExchange(service)
    return new TokenHost({
      place,
      service,
      exchange: recorder === undefined ? exchange : recordedExchange(exchange, recorder, clock.now),
      settings,
      metrics: upstreamMetrics.of(place),
      circuitChanged: (state, customerId) => logCircuit(logger, { ...place, customerId }, state),
      clock,
      random,
    })
  }
  const hosts = new TokenHosts({ urls: settings.tokens, hostOf, closed: async () => recorder?.close() })
  return hosts
}

/** With a `customerId` the circuit is that customer's own. */
function logCircuit(
  logger: Logger,
  whose: HostPlace & { readonly customerId: number | undefined },
  state: CircuitState,
): void {
  if (state === 'open') logger.error(whose, 'the upstream fails, and is left alone for a while')
  else if (state === 'half-open') logger.info(whose, 'one request tries whether the upstream works again')
  else logger.info(whose, 'the upstream works again')
}
