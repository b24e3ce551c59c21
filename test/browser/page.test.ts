import t from 'tap'
import type { TokenAnswer } from '../../schemas/answers.js'
import { fairplay } from '../../src/drm/fairplay-family.js'
import { widevine } from '../../src/drm/widevine-family.js'
import { sampleParameters } from '../../src/sample.js'
import { form, startTestServer } from '../harness.js'
import { launchChromium } from './chromium.js'
import { PlayerPage } from './player-page.js'
import { isSettled, readShown } from './shown.js'

t.setTimeout(120_000)

const browser = await launchChromium(t)

t.test('on a demo server the page plays with what it shows, and shows how', async t => {
  const { url } = await startTestServer(t)
  const page = await PlayerPage.open(t, browser, url)
  t.match(await page.playAsIs('shaka-player'), {
    outcome: 'Playing',
    steps: {
      token: { text: /^Issued: \d+ characters$/ },
      manifest: { text: `${url}/player/demo/cenc/manifest.mpd` },
      initData: { text: 'pssh for W3C common b366360da82e9c6e0b0984002a362cf2' },
      licenceRequest: { text: `POST ${url}/hms/ck/rights/?ExpressPlayToken=… for b366360da82e9c6e0b0984002a362cf2` },
      licenceAnswer: { text: 'HTTP status 200, 1 key' },
      keys: { text: 'b366360da82e9c6e0b0984002a362cf2 usable' },
      playback: { text: /^\d\.\d s · \d+ frames decoded, \d+ dropped · \d+ audio bytes$/ },
    },
  })
  await page.tab.getByRole('button', { name: 'Demo clip, cbcs' }).click()
  t.match(
    await page.playAsIs('dash.js'),
    { outcome: 'Playing', steps: { manifest: { text: /cbcs/ } } },
    'one after another',
  )
  await page.tab.getByRole('button', { name: 'Stop' }).click()
  await page.tab.getByText('Stopped').waitFor()
  t.equal(new URL(page.tab.url()).search, '')
  t.strictSame(page.faults, [])
})

t.test('it plays with the tokens of other DRMs, asked for at their endpoints', async t => {
  const { url } = await startTestServer(t)
  const page = await PlayerPage.open(t, browser, url)
  const asked: string[] = []
  page.tab.on('request', request => {
    if (request.method() === 'POST' && !request.url().includes('/rights/')) asked.push(new URL(request.url()).pathname)
  })
  const parameters = page.tab.getByLabel('Parameters')
  await parameters.fill((await parameters.inputValue()).replace('errorFormat=json', 'errorFormat=html'))
  const kind = page.tab.getByLabel('Kind of token')

  await kind.selectOption('Widevine')
  t.match(await parameters.inputValue(), /^errorFormat=html\n(?:.*\n)*securityLevel=1$/m)
  t.match(await page.playAsIs('shaka-player'), { outcome: 'Playing', steps: { playback: { state: 'done' } } })

  await kind.selectOption('FairPlay')
  t.match(await parameters.inputValue(), /^kid=b366360da82e9c6e0b0984002a362cf2\n(?:.*\n)*iv=[\da-f]{32}$/m)
  t.match(await page.playAsIs('dash.js'), { outcome: 'Playing', steps: { playback: { state: 'done' } } })

  await parameters.fill((await parameters.inputValue()).replace(/^kid=.*\n/m, ''))
  t.match(await page.playAsIs('shaka-player'), {
    outcome: 'Playing',
    steps: { licenceRequest: { text: /for b366360da82e9c6e0b0984002a362cf2$/ }, playback: { state: 'done' } },
  })
  t.strictSame(asked, ['/hms/wv/token', '/hms/fp/token', '/hms/fp/token'])
  t.strictSame(page.faults, [])
})

t.test('a token request may be pasted as a URL, and its refusal is shown', async t => {
  const { url } = await startTestServer(t)
  const page = await PlayerPage.open(t, browser, url)
  await page.tab.getByLabel('Parameters').fill(`curl '${url}/hms/pr/token?${form({ rightsType: 'Lease' })}'`)
  const refusal = '[-2021] Invalid rights type (HTTP status 400)'
  const shown = await page.playAsIs('shaka-player')
  t.match(shown, {
    outcome: refusal,
    steps: { token: { state: 'failed', text: refusal }, manifest: { state: 'waiting' } },
  })
})

t.test('shaka-player and dash.js play with the configuration of a token answer alone', async t => {
  const server = await startTestServer(t)
  for (const [family, player] of [
    [widevine, 'shaka'],
    [fairplay, 'dashjs'],
  ] as const) {
    const change = { contentKey: sampleParameters.contentKey, playerConfig: 'true' }
    const { playerConfig } = (await (
      await server.request(family, 'get', change, { accept: 'application/json' })
    ).json()) as TokenAnswer // a wrong one does not play
    const tab = await browser.newPage()
    t.teardown(() => tab.close())
    await tab.goto(`${server.url}/player`)
    const config = playerConfig?.clearkey?.[player]
    await tab.evaluate(playConfigured, { player, config, manifest: `${server.url}/player/demo/cbcs/manifest.mpd` })
    await tab.waitForFunction(isSettled, undefined, { timeout: 30_000 })
    t.ok((await tab.evaluate(readShown)).frames > 20, player)
  }
})

/** Runs in the page, as an application would be written. */
async function playConfigured(asked: { player: string; config: unknown; manifest: string }): Promise<void> {
  const video = document.querySelector<HTMLVideoElement>('#video')
  if (video === null) throw new Error('this is not the player page')
  video.muted = true
  if (asked.player === 'shaka') {
    await import(`${location.origin}/player/vendor/shaka-player.js`)
    const player = new window.shaka.Player()
    await player.attach(video)
    player.configure(asked.config as object)
    await player.load(asked.manifest)
    await video.play()
  } else {
    const { MediaPlayer } = await import(`${location.origin}/player/vendor/dash.js`)
    const player = MediaPlayer().create()
    player.initialize(video, asked.manifest, true)
    player.setProtectionData(asked.config)
  }
}

t.test('a licence server that cannot be reached is told from one that refuses', async t => {
  const { url } = await startTestServer(t)
  const page = await PlayerPage.open(t, browser, url)
  const gone = await startTestServer(t)
  await gone.close()
  await page.tab.getByLabel('licence URL, without').fill(`${gone.url}/hms/ck/rights/`)
  t.match(await page.playAsIs('shaka-player'), { outcome: 'No answer that this page may read (network, CORS)' })
  t.match(await page.playAsIs('dash.js'), { outcome: 'No answer that this page may read (network, CORS)' })
})

t.test(
  'a licence server that is not ours: its texts show no token, and a licence without keys is called so',
  async t => {
    const { url } = await startTestServer(t)
    const answers = [
      [
        400,
        (asked: string) => JSON.stringify({ code: 1, message: `[1] No licence at ${asked}` }),
        /^\[1\] No licence at .*…/,
      ],
      [200, () => '{"keys":[]}', /^HTTP status 200, and no key in the answer$/],
      [200, () => 'a licence of another kind', /^HTTP status 200, and no key in the answer$/],
    ] as const
    for (const player of ['shaka-player', 'dash.js'] as const)
      for (const [status, answer, outcome] of answers) {
        const page = await PlayerPage.open(t, browser, url)
        await page.tab.route('**/foreign-licences*', route =>
          route.fulfill({
            status,
            headers: { 'access-control-allow-origin': '*' },
            body: answer(route.request().url()),
          }),
        )
        await page.tab.getByLabel('licence URL, without').fill(`${url}/foreign-licences`)
        t.match(await page.playAsIs(player), { outcome }, player)
        t.notMatch(await page.tab.locator('body').innerText(), /ExpressPlayToken=[\w-]{20}/)
      }
  },
)

t.test('the page of the API documentation works under its content security policy', async t => {
  const { url } = await startTestServer(t)
  const tab = await browser.newPage()
  t.teardown(() => tab.close())
  const faults: string[] = []
  tab.on('console', message => void (message.type() === 'error' && faults.push(message.text())))
  tab.on('pageerror', error => void faults.push(error.message))
  const answer = await tab.goto(`${url}/docs`)
  t.match(answer?.headers(), {
    'content-security-policy': /frame-ancestors 'none'/,
    'x-content-type-options': 'nosniff',
  })
  await tab.getByText('/hms/pr/token').first().waitFor()
  t.strictSame(faults, [])
})

t.test('it is used with the keyboard alone, at 400 pixels', async t => {
  const { url } = await startTestServer(t)
  const page = await PlayerPage.open(t, browser, url, 400)
  const overflow = () => page.tab.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
  t.ok((await overflow()) <= 0, 'nothing to scroll sideways')
  const focused = () =>
    page.tab.evaluate(() => document.activeElement?.id || document.activeElement?.textContent?.trim())
  const stops: unknown[] = []
  do {
    await page.tab.keyboard.press('Tab')
    stops.push(await focused())
  } while (stops.at(-1) !== 'Play' && stops.length < 20)
  t.strictSame(
    stops.filter(stop => stop !== ''),
    ['manifest', 'Demo clip, cenc', 'Demo clip, cbcs', 'drm', 'parameters', 'licence-url', 'Play'],
  )
  await page.tab.keyboard.press('Enter')
  t.match(await page.settled(), { outcome: 'Playing' })
  t.ok((await overflow()) <= 0, 'nor with all steps shown')
})
