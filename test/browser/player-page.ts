import type { Browser, Page, Request } from 'playwright-core'
import { PNG } from 'pngjs'
import type { Test } from 'tap'
import { isSettled, readShown, type Shown } from './shown.js'

/** Well above what it takes: dash.js asks four times in three seconds before it gives up. */
const WITHIN_MS = 30_000

export const PLAYERS = ['shaka-player', 'dash.js'] as const
export type PlayerName = (typeof PLAYERS)[number]

export interface Wish {
  readonly player: PlayerName
  readonly manifestUrl: string
  readonly licenceUrl: string
  /** A token, or what holds one. */
  readonly token: string
}

/** The player page in a tab of its own, used as a person uses it. */
export class PlayerPage {
  /** Every licence request that the tab sent. */
  readonly licenceRequests: Request[] = []
  /** Errors of the page itself, and what its policy kept it from doing. */
  readonly faults: string[] = []

  private constructor(readonly tab: Page) {
    tab.on('request', request => {
      if (request.method() === 'POST' && request.url().includes('/hms/ck/rights')) this.licenceRequests.push(request)
    })
    tab.on('console', message => {
      if (message.text().includes('Content Security Policy')) this.faults.push(message.text())
    })
    tab.on('pageerror', error => this.faults.push(error.message))
  }

  static async open(t: Test, browser: Browser, serviceUrl: string, width = 1280): Promise<PlayerPage> {
    const tab = await browser.newPage({ viewport: { width, height: 900 } })
    t.teardown(() => tab.close())
    const page = new PlayerPage(tab)
    await tab.goto(`${serviceUrl}/player`)
    await tab.waitForFunction(() => document.querySelector<HTMLTextAreaElement>('#parameters')?.value !== '')
    return page
  }

  async play({ player, manifestUrl, licenceUrl, token }: Wish): Promise<Shown> {
    await this.tab.getByLabel('Manifest').fill(manifestUrl)
    await this.tab.getByLabel('I have one').check()
    await this.tab.getByLabel('whole token answer').fill(token)
    await this.tab.getByLabel('licence URL, without').fill(licenceUrl)
    return this.playAsIs(player)
  }

  /** With what the form already says. */
  async playAsIs(player: PlayerName): Promise<Shown> {
    await this.tab.getByLabel(player).check()
    await this.tab.getByRole('button', { name: 'Play', exact: true }).click()
    return this.settled()
  }

  /** Waits until it plays or has failed. */
  async settled(): Promise<Shown> {
    await this.tab.waitForFunction(isSettled, undefined, { timeout: WITHIN_MS }).catch(async (cause: unknown) => {
      throw new Error(`it neither plays nor fails: ${JSON.stringify(await this.tab.evaluate(readShown))}`, { cause })
    })
    return this.tab.evaluate(readShown)
  }

  /** One of each quarter of the picture, in reading order, as 0xRRGGBB; off the middle, where a square moves. */
  async colours(): Promise<number[]> {
    const video = this.tab.locator('#video')
    await video.evaluate((element: HTMLVideoElement) => {
      element.controls = false
    })
    // Of the tab, because protected video is black to a canvas.
    const { width, height, data } = PNG.sync.read(await video.screenshot())
    const points = [0.3, 0.7].flatMap(y =>
      [0.25, 0.75].map(x => [Math.round(x * width), Math.round(y * height)] as const),
    )
    return points.map(([x, y]) => data.readUIntBE(4 * (y * width + x), 3))
  }
}
