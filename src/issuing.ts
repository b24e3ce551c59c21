import { clearKeyUrl } from './drm/licence-urls.js'
import type { Issuing, IssuingParts } from './issuing-parts.js'
import { EmulatedIssuer } from './tokens/emulated-issuer.js'

/** Makes tokens, asks for them, or replays recorded ones: the only place that decides by the mode. */
export async function issuing(parts: IssuingParts): Promise<Issuing> {
  const { config, vault, ledger, clock, ports } = parts
  if (config.MODE === 'emulate') {
    const reachedAt = { publicUrl: config.PUBLIC_URL, ports }
    const issuer = new EmulatedIssuer({ vault, style: config.TOKEN_STYLE, ledger, now: clock.now, reachedAt })
    return { issuer, clearKeyUrl }
  }
  // Only those who ask another service wait for its libraries to load.
  const { gatewayIssuing, replayIssuing } = await import('./upstream/gateway-issuing.js')
  return config.MODE === 'gateway' ? gatewayIssuing(config, parts) : replayIssuing(config, parts)
}
