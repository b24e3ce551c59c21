import { type Assignment, CLEAR_KEY, type Playing, type Witness } from './player.js'

export async function startDash({ video, manifestUrl, licenceUrl }: Assignment, witness: Witness): Promise<Playing> {
  const { MediaPlayer } = await import('../vendor/dash.js')
  const player = MediaPlayer().create()
  player.initialize(video, undefined, true)
  player.setProtectionData({ [CLEAR_KEY]: { serverURL: licenceUrl } })

  player.registerLicenseRequestFilter(async ({ url, data }) => witness.licenceRequested(url, textOf(data)))
  player.registerLicenseResponseFilter(async ({ data }) => witness.licenceAnswered(200, textOf(data)))
  player.on('public_licenseRequestComplete', ({ error }: Failing) => {
    if (error === null || error === undefined) return
    witness.licenceAnswered(error.data?.responseCode ?? 0, textOf(error.data?.serverResponse))
    witness.failed(`dash.js error ${error.code} ${error.message}`)
  })
  player.on('manifestLoaded', () => witness.manifestLoaded())
  player.on('keyStatusesMapUpdated', ({ keyStatusMap }: { keyStatusMap: ReadonlyMap<string, string> }) =>
    witness.keysChanged(keyStatusMap),
  )
  player.on('error', ({ error }: Failing) => witness.failed(`dash.js error ${error?.code} ${error?.message}`))
  player.attachSource(manifestUrl)
  return { stop: async () => player.destroy() }
}

/** What these events carry; the package's own types differ from what it sends. */
interface Failing {
  readonly error?: {
    readonly code: number
    readonly message: string
    /** Absent when no answer came, or when the page may not read it. */
    readonly data?: { readonly responseCode: number | null; readonly serverResponse: unknown } | null
  } | null
}

/** It hands on a body in the form in which it has it: text, parsed JSON or bytes. */
function textOf(body: unknown): string {
  if (body instanceof ArrayBuffer) return new TextDecoder().decode(body)
  return typeof body === 'string' ? body : JSON.stringify(body ?? '')
}
