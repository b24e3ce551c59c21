import { readPsshBoxes } from './init-data.js'
import { hexOfBase64url } from './kids.js'
import { decodedBy, describeDecoded } from './playback.js'
import type { Playing, StartPlayer, Witness } from './players/player.js'
import { readRefusal } from './refusal.js'
import type { StepName, StepState, Steps } from './steps.js'
import { countOf } from './wording.js'

const LOOK_EVERY_MS = 250
/** A second without a picture is a slow network, ten are most likely a wrong content key. */
const FRAMES_WITHIN_MS = 10_000

export interface RunParts {
  readonly startPlayer: StartPlayer
  readonly manifestUrl: string
  /** Without the token. */
  readonly licenceUrl: string
  readonly token: string
  readonly video: HTMLVideoElement
  readonly steps: Steps
  readonly onOutcome: (state: 'done' | 'failed', text: string) => void
}

/** One attempt to play: follows what player and browser do, and shows it in the steps. */
export class Run implements Witness {
  readonly #parts: RunParts
  /** Aborted at the end: what a player says after that belongs to no run. */
  readonly #end = new AbortController()
  #playing: Playing | undefined
  /** A player may ask for each key by itself. */
  readonly #asked = new Set<string>()
  #keysReceived = 0
  #usableSince: number | undefined

  constructor(parts: RunParts) {
    this.#parts = parts
  }

  async start(): Promise<void> {
    const { startPlayer, manifestUrl, licenceUrl, token, video } = this.#parts
    const { signal } = this.#end
    video.addEventListener('encrypted', event => this.#initDataFound(event), { signal })
    video.addEventListener('error', () => this.#notDecoded(`The browser: ${video.error?.message}`), { signal })
    const looking = setInterval(() => this.#look(), LOOK_EVERY_MS)
    signal.addEventListener('abort', () => clearInterval(looking))

    this.#show('manifest', 'running', manifestUrl)
    const withToken = new URL(licenceUrl)
    withToken.searchParams.set('ExpressPlayToken', token)
    this.#playing = await startPlayer({ video, manifestUrl, licenceUrl: withToken.href }, this)
    if (signal.aborted) await this.#playing.stop()
  }

  async stop(): Promise<void> {
    this.#end.abort()
    await this.#playing?.stop()
  }

  manifestLoaded(): void {
    this.#show('manifest', 'done', this.#parts.manifestUrl)
  }

  licenceRequested(url: string, body: string): void {
    if (this.#parts.steps.stateOf('initData') === 'waiting')
      this.#show('initData', 'done', 'No pssh in the media so far: the player made it from the manifest')
    const { kids = [] } = JSON.parse(body) as { kids?: string[] } // made by the browser
    for (const kid of kids) this.#asked.add(hexOfBase64url(kid))
    const asked = [...this.#asked].join(', ')
    this.#show('licenceRequest', 'done', `POST ${url} for ${asked}`)
    if (this.#keysReceived === 0) this.#show('licenceAnswer', 'running', '')
  }

  licenceAnswered(status: number, body: string): void {
    if (status !== 200) this.#show('licenceAnswer', 'failed', readRefusal(status, body))
    else {
      const count = keysIn(body)
      this.#keysReceived += count
      if (count === 0) this.failed('HTTP status 200, and no key in the answer', 'licenceAnswer')
      else this.#show('licenceAnswer', 'done', `HTTP status 200, ${countOf(this.#keysReceived, 'key')}`)
    }
  }

  keysChanged(statuses: ReadonlyMap<string, string>): void {
    const isUsable = statuses.size > 0 && [...statuses.values()].every(status => status === 'usable')
    const shown = [...statuses].map(([kid, status]) => `${kid} ${status}`)
    this.#show('keys', isUsable ? 'done' : 'running', shown.join(', '))
    if (isUsable) this.#usableSince ??= performance.now()
  }

  failed(text: string, step?: StepName): void {
    if (this.#end.signal.aborted) return
    this.#parts.onOutcome('failed', this.#parts.steps.fail(this.#withoutToken(text), step))
    void this.stop()
  }

  #initDataFound({ initData, initDataType }: MediaEncryptedEvent): void {
    const boxes = initData === null ? [] : readPsshBoxes(initData)
    const shown = boxes.map(({ system, kids }) => ['pssh for', system, ...kids].join(' '))
    this.#show('initData', 'done', shown.join(', ') || `${initDataType}, without a pssh`)
  }

  #look(): void {
    const { video, onOutcome } = this.#parts
    const decoded = decodedBy(video)
    const waited = this.#usableSince === undefined ? 0 : performance.now() - this.#usableSince
    if (decoded.frames > 0) {
      this.#show('playback', 'done', describeDecoded(decoded))
      onOutcome('done', video.ended ? 'Played to its end' : 'Playing')
    } else if (waited > FRAMES_WITHIN_MS) this.#notDecoded('No frame was decoded')
  }

  /** With a wrong key decryption succeeds all the same: what fails is the decoder behind it. */
  #notDecoded(why: string): void {
    this.failed(`Is it the right content key? ${why}`, 'playback')
  }

  #show(name: StepName, state: StepState, text: string): void {
    if (!this.#end.signal.aborted) this.#parts.steps.show(name, state, this.#withoutToken(text))
  }

  /** A token is for its player alone, not for whoever looks at the screen. Servers and browsers quote URLs. */
  #withoutToken(text: string): string {
    const { token } = this.#parts
    return text.replaceAll(token, '…').replaceAll(encodeURIComponent(token), '…')
  }
}

/** A server that is not ours may answer anything. */
function keysIn(licence: string): number {
  try {
    const { keys }: { keys?: unknown } = Object(JSON.parse(licence)) // of any shape
    return Array.isArray(keys) ? keys.length : 0
  } catch {
    return 0
  }
}
