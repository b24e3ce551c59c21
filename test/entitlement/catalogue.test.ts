import { renameSync, unlinkSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { ContentEntry } from '../../schemas/content-entry.js'
import { repetitions } from '../counts.js'
import { CONTENT_KEY, startTestServer } from '../harness.js'
import { CUSTOMER, KID } from '../redeeming.js'
import { logged } from './mutual-tls.js'
import { askerOf, content, contentID, entitlementSettings, tokenIn } from './service.js'

const MANY = repetitions({ usual: 10_000, long: 100_000 })
const ERROR = 50
const UNKNOWN = 1101
const ALLOWED = 0

/** A service on this catalogue, which can be replaced while it runs. */
async function serviceOn(t: Test, contents: readonly ContentEntry[]) {
  const settings = { ...(await entitlementSettings(t, contents)), ENTITLEMENT_ACCOUNT: CUSTOMER }
  const server = await startTestServer(t, { settings })
  const ask = await askerOf(t, server)
  const path = String(settings.CATALOGUE_FILE)
  return {
    server,
    ask: (number: number, viewer: { customerCookie?: string } = {}) => ask({ contentID: contentID(number), ...viewer }),
    errorOf: async (number: number) => (await ask({ contentID: contentID(number) })).error,
    path,
    replace: (text: string) => {
      writeFileSync(`${path}.new`, text)
      renameSync(`${path}.new`, path)
    },
  }
}

t.test('a catalogue is read again when it changes, and a broken one leaves the former in force', async t => {
  const { server, errorOf, replace, path } = await serviceOn(t, [content(1)])
  t.match(await logged(server, 'catalogue read'), [{ contents: 1 }])
  t.match(await Promise.all([errorOf(1), errorOf(2)]), [ALLOWED, UNKNOWN])

  replace(JSON.stringify({ contents: [content(2), content(3)] }))
  t.match((await logged(server, 'catalogue read', 2)).at(-1), { contents: 2 })
  t.match(await Promise.all([errorOf(1), errorOf(2)]), [UNKNOWN, ALLOWED])

  const broken = 'the catalogue is broken, and the contents are those of before'
  const two = [content(1, { duration: 0 }), { ...content(4), viewers: CONTENT_KEY }]
  replace(JSON.stringify({ contents: two }, null, 1))
  t.match((await logged(server, broken)).at(-1), {
    level: ERROR,
    faults: [/^line \d+: contents\[0\]\.duration: must be /, /^line \d+: contents\[1\]\.viewers: must be /],
  })
  t.match(await Promise.all([errorOf(1), errorOf(2)]), [UNKNOWN, ALLOWED])

  unlinkSync(path)
  t.match((await logged(server, broken, 2)).at(-1), { level: ERROR, faults: ['cannot be read: ENOENT'] })
  t.match(await Promise.all([errorOf(1), errorOf(2)]), [UNKNOWN, ALLOWED])

  replace(`\ufeff${JSON.stringify({ contents: [content(1)] })}`)
  t.match((await logged(server, 'catalogue read', 3)).at(-1), { contents: 1 })
  t.match(await Promise.all([errorOf(1), errorOf(2)]), [ALLOWED, UNKNOWN])
  t.equal((await logged(server, broken)).length, 2, 'once for each change')
})

const OPLS = {
  analogVideoOPL: '150',
  compressedDigitalAudioOPL: '250',
  compressedDigitalVideoOPL: '400',
  uncompressedDigitalAudioOPL: '250',
  uncompressedDigitalVideoOPL: '270',
}
const RENTAL = {
  rightsType: 'Rental',
  generalFlags: '00000001',
  'rental.periodEndTime': '+7200',
  'rental.playDuration': '60',
  minCertSecurityLevel: '2000',
  unknownOutputBehavior: 'SDOnly',
  outputControlFlags: 'ABCDEF01',
  extensionType: 'wudo',
  extensionPayload: 'AAAAAA==',
  useHttps: 'false',
  ...OPLS,
}
/** Said as JSON says numbers and truths. */
const PLAIN = Object.fromEntries(
  Object.entries(RENTAL).map(([name, text]) => [name, /^(?:[1-9]\d*|false)$/.test(text) ? JSON.parse(text) : text]),
)

t.test('a policy means what it means in a token request, however its numbers are written', async t => {
  const keys = [{ kid: KID.toUpperCase(), contentKey: CONTENT_KEY, algId: 'aescbc' }]
  const { server, ask } = await serviceOn(t, [
    content(1, { policy: RENTAL, keys }),
    content(2, { policy: PLAIN, keys }),
  ])
  const issued = await server.get({ kid: KID, algId: 'aescbc', ...RENTAL })
  const { token } = (await issued.json()) as { token: string } // 200, or there is no token to open
  const wanted = server.openToken(token)?.keys
  t.ok(wanted)
  for (const number of [1, 2]) {
    const answer = await ask(number)
    t.match(answer.epTokenURL, /^http:/)
    t.strictSame(server.openToken(tokenIn(answer))?.keys, wanted)
  }
})

t.test('a content may have a great many viewers, and one wrong one among them is a fault', async t => {
  const viewers = Array.from({ length: 60_000 }, (_, number) => `viewer-${number}`)
  const { server, ask, replace } = await serviceOn(t, [content(1, { viewers })])
  for (const customerCookie of ['viewer-0', 'viewer-59999']) t.match(await ask(1, { customerCookie }), { error: 0 })
  t.match(await ask(1, { customerCookie: 'viewer-60000' }), { error: 1102 })
  replace(JSON.stringify({ contents: [{ ...content(1), viewers: [...viewers, 7] }] }))
  const [told] = await logged(server, 'the catalogue is broken, and the contents are those of before')
  t.match(told, { faults: ['line 1: contents[0].viewers: must be "everyone", or a list of viewers as texts'] })
})

t.test(`${MANY} contents`, async t => {
  const many = Array.from({ length: MANY }, (_, number) => content(number, { duration: 60 + (number % 100) }))
  const { server, errorOf, replace } = await serviceOn(t, many)
  t.match(await logged(server, 'catalogue read'), [{ contents: MANY }])
  for (const number of [0, 1, MANY / 2 - 1, MANY - 1]) t.equal(await errorOf(number), ALLOWED)
  t.equal(await errorOf(MANY), UNKNOWN)

  many[MANY / 2] = content(3)
  replace(`{ "contents": [\n${many.map(one => JSON.stringify(one)).join(',\n')}\n] }`)
  const [told] = await logged(server, 'the catalogue is broken, and the contents are those of before')
  t.match(told, { faults: [`line ${MANY / 2 + 2}: contents[${MANY / 2}].contentID: is that of the content on line 5`] })
  t.equal(await errorOf(MANY / 2), ALLOWED)
})
