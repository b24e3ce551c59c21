import type shaka from 'shaka-player/dist/shaka-player.compiled-es2021.js'
import { type Assignment, CLEAR_KEY, type Playing, type Witness } from './player.js'

export async function startShaka({ video, manifestUrl, licenceUrl }: Assignment, witness: Witness): Promise<Playing> {
  await import('../vendor/shaka-player.js')
  const { polyfill, Player } = window.shaka
  polyfill.installAll()
  const player = new Player()
  await player.attach(video)
  player.configure({ drm: { servers: { [CLEAR_KEY]: licenceUrl } } })
  witnessLicences(player, licenceUrl, witness)
  const report = (error: unknown) => reportError(error, witness)
  player.addEventListener('manifestparsed', () => witness.manifestLoaded())
  player.addEventListener('keystatuschanged', () =>
    witness.keysChanged(new Map(Object.entries(player.getKeyStatuses()))),
  )
  player.addEventListener('error', event => report('detail' in event ? event.detail : event))
  player.load(manifestUrl).then(() => playIfAllowed(video), report)
  return { stop: () => player.destroy() }
}

/** A browser may want a click first, and a player that is stopped meanwhile does not play. */
function playIfAllowed(video: HTMLVideoElement): void {
  video.play().catch(() => undefined)
}

/** A refusal does not come here, but as an error. */
function witnessLicences(player: shaka.Player, licenceUrl: string, witness: Witness): void {
  const { LICENSE } = window.shaka.net.NetworkingEngine.RequestType
  const engine = player.getNetworkingEngine()
  engine?.registerRequestFilter((type, request) => {
    if (type !== LICENSE) return
    // A licence URL in the manifest would win over the configured one; it has no token, and may be anybody's.
    request.uris = [licenceUrl]
    if (request.body !== null) witness.licenceRequested(licenceUrl, new TextDecoder().decode(request.body))
  })
  engine?.registerResponseFilter((type, { data, status }) => {
    if (type === LICENSE) witness.licenceAnswered(status ?? 200, new TextDecoder().decode(data))
  })
}

function reportError(error: unknown, witness: Witness): void {
  if (!(error instanceof window.shaka.util.Error)) {
    witness.failed(String(error))
    return
  }
  const { BAD_HTTP_STATUS, LICENSE_REQUEST_FAILED } = window.shaka.util.Error.Code
  if (error.code === LICENSE_REQUEST_FAILED) {
    const [cause] = error.data
    const [, status, answer] = cause?.code === BAD_HTTP_STATUS ? cause.data : []
    witness.licenceAnswered(status ?? 0, String(answer ?? ''))
  }
  witness.failed(nameOf(error))
}

/** Its errors are numbers; their names are in the table of codes. */
function nameOf({ code }: shaka.util.Error): string {
  const names = Object.entries(window.shaka.util.Error.Code)
  return `shaka-player error ${code} ${names.find(([, number]) => number === code)?.[0] ?? ''}`
}
