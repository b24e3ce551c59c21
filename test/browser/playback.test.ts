import t from 'tap'
import { type ContentKey, randomContentKey, SCHEMES } from './content.js'
import { PLAYERS } from './player-page.js'
import { Stage } from './stage.js'

t.setTimeout(180_000)

/** The quarters of the clip. */
const COLOURS = [0xd62828, 0x2a9d3f, 0x1d4ed8, 0xf2b705]

/** What each player says it sends. Whoever says JSON is asked by the browser to make a preflight first. */
const CONTENT_TYPES = { 'shaka-player': undefined, 'dash.js': 'application/json' } as const

const stage = await Stage.set(t)

for (const scheme of SCHEMES)
  for (const isOneKey of [true, false]) {
    const video = randomContentKey()
    const audio = isOneKey ? video : randomContentKey()
    const manifestUrl = await stage.encrypt(scheme, video, audio)
    const keys = isOneKey ? video : numbered([video, audio])

    for (const player of PLAYERS)
      t.test(`${player} plays ${scheme} with ${isOneKey ? 'one key' : 'two keys'}`, async t => {
        const before = stage.licenceCalls()
        const answer = await stage.service.get({ ...keys, algId: scheme === 'cenc' ? 'aesctr' : 'aescbc' })
        const token = await answer.text()
        const page = await stage.openPage(t)
        const shown = await page.play({ player, manifestUrl, licenceUrl: stage.licenceUrl, token })

        t.equal(shown.mediaError, undefined)
        t.match(shown, { outcome: 'Playing' }, 'it decodes picture and sound')
        t.ok(areAlike(await page.colours(), COLOURS), 'the picture is the clip')
        t.ok(
          Object.values(shown.steps).every(({ state }) => state === 'done'),
          'every step is done',
          shown,
        )
        t.strictSame(page.faults, [])
        t.equal(new URL(page.tab.url()).search, '', 'nothing of it is in the URL of the page')

        // Both ask for each key by itself, although the pssh names both.
        const asked = page.licenceRequests.map(request => request.postDataJSON())
        const expected = [...new Set([video, audio])].map(({ kid }) => ({ kids: [base64url(kid)], type: 'temporary' }))
        t.same(sorted(asked), sorted(expected), 'one key request for each key, of the W3C form')
        for (const request of page.licenceRequests) {
          t.equal(request.url(), `${stage.licenceUrl}?ExpressPlayToken=${JSON.parse(token).token}`)
          t.equal(request.headers()['content-type'], CONTENT_TYPES[player])
        }
        const { POST = 0, OPTIONS = 0 } = stage.licenceCalls()
        t.equal(POST - (before.POST ?? 0), expected.length, 'and the service saw no other')
        t.equal(OPTIONS > (before.OPTIONS ?? 0), player === 'dash.js', 'a preflight came before where one is needed')
      })
  }

function numbered(keys: readonly ContentKey[]): Record<string, string | null> {
  const entries = keys.flatMap((key, n) => Object.entries(key).map(([name, value]) => [`${name}.${n}`, value] as const))
  return { kid: null, contentKey: null, ...Object.fromEntries(entries) }
}

function base64url(kid: string): string {
  return Buffer.from(kid, 'hex').toString('base64url')
}

function sorted(requests: readonly unknown[]): string[] {
  return requests.map(request => JSON.stringify(request)).sort()
}

/** As far as a lossy codec keeps them. */
function areAlike(colours: readonly number[], expected: readonly number[]): boolean {
  const channels = (colour = 0) => [colour >> 16, (colour >> 8) & 0xff, colour & 0xff]
  return expected.every((colour, index) => {
    const seen = channels(colours[index])
    return channels(colour).every((value, channel) => Math.abs(value - (seen[channel] ?? 0)) <= 12)
  })
}
