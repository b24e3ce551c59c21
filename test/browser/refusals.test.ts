import t, { type Test } from 'tap'
import { administratorOf } from '../administrator.js'
import { type Change, NOON } from '../harness.js'
import { randomContentKey } from './content.js'
import { PLAYERS, type PlayerName } from './player-page.js'
import type { Shown } from './shown.js'
import { Stage } from './stage.js'

t.setTimeout(180_000)

const ADMIN_TOKEN = 'an-administrator-of-tests'
/** A player asks again before it gives up, so a refusal must cost nothing. */
const ATTEMPTS = { 'shaka-player': 2, 'dash.js': 4 } as const

let now = NOON
const stage = await Stage.set(t, { now: () => now, settings: { ADMIN_TOKEN } })
const administrator = administratorOf(stage.service, ADMIN_TOKEN)
const key = randomContentKey()
const manifestUrl = await stage.encrypt('cenc', key, key)

for (const player of PLAYERS) {
  t.test(`${player}: the page shows why there is no licence`, async t => {
    const expired = await tokenFor({ expirationTime: '+60' })
    now += 61_000
    const otherKid = await tokenFor({ kid: randomContentKey().kid })
    const elsewhere = await tokenFor({ ipAddress: '203.0.113.7' })
    await administrator.patch('/accounts/5', { enabled: true })
    const disabled = await tokenFor({ customerAuthenticator: '5,00000000000000000000000000000005' })
    await administrator.patch('/accounts/5', { enabled: false })

    await Promise.all([
      refused(t, player, expired, /^\[-4010\] Invalid token: it expired at .+ \(HTTP status 403\)$/),
      refused(t, player, otherKid, /^\[-4022\] Invalid kid.* \(HTTP status 400\)$/),
      refused(t, player, elsewhere, /^\[-2003\] Invalid IP address.* \(HTTP status 403\)$/),
      refused(t, player, disabled, /^\[-2031\] Service Account Disabled.* \(HTTP status 401\)$/),
    ])
  })

  t.test(`${player}: a wrong content key gives a licence and no picture`, async t => {
    const { shown, posts } = await attempt(t, player, await tokenFor({ contentKey: randomContentKey().contentKey }))
    t.match(shown.steps, { licenceAnswer: { state: 'done' }, playback: { state: 'failed' } })
    t.match(shown, { outcome: /^Is it the right content key\?/, frames: 0 })
    t.equal(posts, 1, 'no other licence would help')
  })
}

async function tokenFor(change: Change): Promise<string> {
  return (await stage.service.get({ ...key, ...change })).text()
}

async function refused(t: Test, player: PlayerName, token: string, why: RegExp): Promise<void> {
  const { shown, posts } = await attempt(t, player, token)
  t.match(shown.outcome, why)
  t.match(shown.steps, { licenceRequest: { state: 'done' }, licenceAnswer: { state: 'failed', text: why } })
  t.match(shown.steps, { keys: { state: 'waiting' }, playback: { state: 'waiting' } })
  t.equal(shown.frames, 0)
  t.equal(posts, ATTEMPTS[player], 'attempts')
}

async function attempt(t: Test, player: PlayerName, token: string): Promise<{ shown: Shown; posts: number }> {
  const page = await stage.openPage(t)
  const shown = await page.play({ player, manifestUrl, licenceUrl: stage.licenceUrl, token })
  t.strictSame(page.faults, [])
  return { shown, posts: page.licenceRequests.length }
}
