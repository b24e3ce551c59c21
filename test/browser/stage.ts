import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import type { Test } from 'tap'
import type { ServerOptions } from '../../src/index.js'
import { startTestServer, type TestServer } from '../harness.js'
import { launchChromium } from './chromium.js'
import { type ContentKey, encryptClip, type Scheme } from './content.js'
import { serveMedia } from './media-server.js'
import { PlayerPage } from './player-page.js'

/** Three origins, as in the field: who gives licences, who serves the page, who serves the media. */
export class Stage {
  readonly licenceUrl: string
  #clips = 0

  private constructor(
    readonly service: TestServer,
    private readonly browser: Browser,
    private readonly pageServer: TestServer,
    private readonly directory: string,
    private readonly mediaUrl: string,
  ) {
    this.licenceUrl = `${service.url}/hms/ck/rights/`
  }

  static async set(t: Test, options: ServerOptions = {}): Promise<Stage> {
    const directory = t.testdir()
    const browser = await launchChromium(t)
    const [service, pageServer] = [await startTestServer(t, options), await startTestServer(t)]
    return new Stage(service, browser, pageServer, directory, await serveMedia(t, directory))
  }

  openPage(t: Test): Promise<PlayerPage> {
    return PlayerPage.open(t, this.browser, this.pageServer.url)
  }

  /** Resolves with the URL of the manifest. */
  async encrypt(scheme: Scheme, video: ContentKey, audio: ContentKey): Promise<string> {
    this.#clips += 1
    await encryptClip(join(this.directory, `clip-${this.#clips}`), scheme, { video, audio })
    return `${this.mediaUrl}/clip-${this.#clips}/manifest.mpd`
  }

  /** How often each method was used on the licence endpoint, preflights included, which no page gets to see. */
  licenceCalls(): Record<string, number> {
    const calls: Record<string, number> = {}
    for (const line of this.service.log) {
      const { route, method } = JSON.parse(line) as { route?: string; method?: string } // a line of our own log
      if (route?.startsWith('/hms/ck/rights') && method !== undefined) calls[method] = (calls[method] ?? 0) + 1
    }
    return calls
  }
}
