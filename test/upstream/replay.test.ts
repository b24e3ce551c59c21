import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { RecordsAnswer } from '../../schemas/records.js'
import { sampleParameters } from '../../src/sample.js'
import type { RecordingText } from '../../src/upstream/recordings/recording.js'
import { FAMILIES } from '../families.js'
import { type Change, errorOf, form, NOON, startTestServer, type TestServer, tokenOf } from '../harness.js'
import { REAL, startGateway, tokenIn } from './gateway.js'

const HOUR = 3_600_000
const A_YEAR_LATER = NOON + 365 * 24 * HOUR
const OTHER_KEY = 'd0d0cafe00112233445566778899aabb'
const POOR = '5,00000000000000000000000000000005' // three tokens

const inRfc3339 = (moment: number) => new Date(moment).toISOString()

async function startReplay(t: Test, folder: string, now = () => A_YEAR_LATER) {
  const server = await startTestServer(t, { now, settings: { MODE: 'replay', RECORD_DIR: folder } })
  return { ...server, ask: (change: Change) => server.post({ contentKey: OTHER_KEY, ...change }) }
}

t.test('what was recorded in June is answered a year later, with other keys and nobody to ask', async t => {
  const folder = t.testdir()
  const upstream = await startTestServer(t, {
    accounts: [{ id: 777, authenticators: { test: REAL.test }, balance: 5 }],
  })
  const gateway = await startGateway(t, upstream.url, { RECORD_DIR: folder })
  const rental = { rightsType: 'Rental', generalFlags: '00000001' }
  const recorded = [
    await gateway.ask('until one', { expirationTime: inRfc3339(NOON + HOUR) }),
    await gateway.ask('until one', { expirationTime: inRfc3339(NOON + HOUR - 40) }),
    await gateway.ask('rented', { ...rental, 'rental.periodEndTime': inRfc3339(NOON + 48 * HOUR) }),
    await gateway.ask('relative', { expirationTime: '+3600' }),
    await gateway.ask('last'),
    await gateway.ask('last'),
  ]
  t.match(recorded[5], { status: 400, body: { code: -2019 } })
  await gateway.close()
  await upstream.close()

  const replay = await startReplay(t, folder)
  const token = async (change: Change) => {
    const answer = await replay.ask(change)
    t.equal(answer.status, 200, `${change.cookie}`)
    return tokenOf(answer)
  }
  const soon = { cookie: 'until one', expirationTime: inRfc3339(A_YEAR_LATER + HOUR - 2500) }
  const [first, second, third] = [await token(soon), await token(soon), await token(soon)]
  t.equal(first.length, recorded[0]?.body.token?.length)
  t.not(first, second, 'two that were the same: each in its turn')
  t.equal(third, second, 'then the last one again')
  await token({ cookie: 'rented', ...rental, 'rental.periodEndTime': inRfc3339(A_YEAR_LATER + 48 * HOUR) })
  await token({ cookie: 'relative', expirationTime: '+3600' })
  await token({ cookie: 'last' })
  t.match(await errorOf(await replay.ask({ cookie: 'last' })), { code: -2019 })
  t.match(await errorOf(await replay.ask({ cookie: 'last', kid: 'x' })), { code: -4020 }, 'refused here, as ever')

  const query = `customerAuthenticator=${form().get('customerAuthenticator')}`
  const { events } = (await (await fetch(`${replay.url}/cmiapi/getrecord/?${query}`)).json()) as RecordsAnswer // as documented
  t.equal(events.filter(({ event }) => event === 'token_issued').length, 6)
  t.equal(events.filter(({ error_code }) => error_code === -2019).length, 1)

  await replay.reset({ customer: 5 })
  t.equal(await token(soon), second, 'recordings belong to no customer')
  await replay.reset()
  t.equal(await token(soon), first, 'a reset replays each series from its first recording on')
})

t.test('a request that nothing recorded is like costs nothing, and is told what would be', async t => {
  const folder = t.testdir({
    '0001.json': file({ cookie: 'viewer-1', expirationTime: inRfc3339(NOON + HOUR) }),
    '0002.json': file({ cookie: 'viewer-2', rightsType: 'Rental' }),
  })
  const { ask, url } = await startReplay(t, folder)
  const near = { cookie: 'viewer-1', expirationTime: inRfc3339(A_YEAR_LATER + HOUR) }
  const told = async (change: Change) => {
    const answer = await ask({ customerAuthenticator: POOR, ...near, ...change })
    t.equal(answer.status, 502)
    const { code, message } = await errorOf(answer)
    t.equal(code, -2030)
    return message.replace(/^.*in the nearest, /, '')
  }
  t.equal(await told({ cookie: 'viewer-9', prFlag: '1' }), '0001.json, cookie is "viewer-1", prFlag is not given')
  const later = { expirationTime: inRfc3339(A_YEAR_LATER + HOUR + 5001) }
  t.equal(await told(later), '0001.json, expirationTime is 3600 seconds after the request')
  t.equal(await told({ expirationTime: '+3600' }), '0001.json, expirationTime is 3600 seconds after the request')
  const wrapped = { contentKey: null, kek: '000102030405060708090a0b0c0d0e0f' }
  const ek = '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5'
  t.equal(await told({ ...wrapped, ek }), '0001.json, contentKey is given, ek is not given, kek is not given')
  t.notMatch(await told({ cookie: 'x', contentkey: OTHER_KEY }), OTHER_KEY)
  t.equal((await ask({ customerAuthenticator: POOR, ...near, ...wrapped })).status, 200, 'a stored key is a key')

  const left = await Promise.all([1, 2, 3].map(() => ask({ customerAuthenticator: POOR, ...near })))
  t.strictSame(left.map(({ status }) => status).sort(), [200, 200, 400], 'of three tokens two were left')
  const query = new URLSearchParams({ customerAuthenticator: POOR, cookie: 'viewer-9' })
  const log = await (await fetch(`${url}/cmiapi/getrecord/?${query}`)).json()
  t.match(log, { events: [{ event: 'token_refused', error_code: -2030 }] })
})

t.test('moments in answers are moved, failures fail as they did, the closest comes first', async t => {
  const refusal = { code: -2031, message: 'closed 2026-06-01T11:00:00Z to 2026-06-03T12:00:00.25+00:00' }
  const folder = t.testdir({
    '1.json': file({ cookie: 'closed' }, { answer: { status: 401, json: refusal } }),
    '2.json': file({ cookie: 'slow' }, { failure: 'timed out' }),
    '9.json': file({ cookie: 'slow' }, { failure: 'not reached' }),
    '10.json': file({ cookie: 'slow' }, { failure: 'not reached' }, { try: 2 }),
    '11.json': file({ cookie: 'slow' }, { answer: { status: 500, text: '<h1>sorry</h1>' } }, { try: 3 }),
    '12.json': file({ cookie: 'two', expirationTime: inRfc3339(NOON + HOUR) }, answered(1)),
    '13.json': file({ cookie: 'two', expirationTime: inRfc3339(NOON + HOUR + 6000) }, answered(2)),
    '14.json': file({ cookie: 'two', expirationTime: '2030-01-01T00:00:00Z' }, answered(3)),
    '15.json': file({ cookie: 'mine' }, answered(4)),
    '16.json': file({ cookie: 'mine' }, answered(5), { customerId: 201722 }),
    '17.json': file({ cookie: 'stored' }, answered(6)),
    '18.json': file({ cookie: 'stored' }, answered(7), { secrets: ['kek'] }),
  })
  const { ask, url } = await startReplay(t, folder)
  const { message } = await errorOf(await ask({ cookie: 'closed' }))
  t.equal(message, '[-2031] closed 2027-06-01T11:00:00Z to 2027-06-03T12:00:00.25+00:00')

  const slow = async () => {
    const answer = await ask({ cookie: 'slow' })
    return { status: answer.status, text: (await errorOf(answer)).message }
  }
  t.match(await slow(), { status: 504, text: /did not answer in time/ })
  t.match(await slow(), { status: 502, text: /something that is no answer/ }, 'of several tries the last')
  const query = new URLSearchParams({
    customerAuthenticator: form().get('customerAuthenticator') ?? '',
    cookie: 'slow',
  })
  const log = (await (await fetch(`${url}/cmiapi/getrecord/?${query}`)).json()) as RecordsAnswer // as documented
  t.strictSame(
    log.events.map(({ event }) => event),
    ['token_unknown', 'token_unknown'],
  )

  const two = async (expirationTime: string) => tokenOf(await ask({ cookie: 'two', expirationTime }))
  t.equal(await two(inRfc3339(A_YEAR_LATER + HOUR + 3500)), token(2))
  t.equal(await two(inRfc3339(A_YEAR_LATER + HOUR + 2500)), token(1))
  t.equal(await tokenOf(await ask({ cookie: 'mine' })), token(5), 'that of the same customer')
  const stored = { cookie: 'stored', contentKey: null, kek: '000102030405060708090a0b0c0d0e0f' }
  t.equal(await tokenOf(await ask(stored)), token(7))
})

t.test('the same moment, for ever', async t => {
  const change = { cookie: 'fixed', expirationTime: '2026-06-20T00:00:00Z' }
  const folder = t.testdir({ '1.json': file(change, answered(1)) })
  const { ask } = await startReplay(t, folder, () => NOON + 72 * HOUR)
  t.equal(await tokenOf(await ask(change)), token(1))
})

t.test('a moment that is as far ahead as it was, by the clock of the customer', async t => {
  const change = { cookie: 'soon', expirationTime: inRfc3339(NOON + HOUR) }
  const { ask, clock } = await startReplay(t, t.testdir({ '1.json': file(change, answered(1)) }))
  await clock.of(201722).advance('2h')
  const later = { ...change, expirationTime: inRfc3339(A_YEAR_LATER + 3 * HOUR) }
  t.equal(await tokenOf(await ask(later)), token(1))
  t.equal((await ask({ ...later, customerAuthenticator: POOR })).status, 502)
})

t.test('of unknown parameters only the presence counts, also where a file shows their values', async t => {
  const folder = t.testdir({
    '1.json': file({ cookie: 'a', keySystem: 'playready', prFlag: '1' }, answered(1)),
    '2.json': file({ cookie: 'b' }, answered(2), { secrets: ['contentKey', 'session'] }),
  })
  const { ask } = await startReplay(t, folder)
  t.equal(await tokenOf(await ask({ cookie: 'a', keySystem: 'another', prFlag: '1' })), token(1))
  t.equal(await tokenOf(await ask({ cookie: 'b', session: 'of today' })), token(2))
  const { message } = await errorOf(await ask({ cookie: 'a' }))
  t.match(message, /1\.json, prFlag is "1", keySystem is given$/)
})

t.test('with HIDE_UPSTREAM a recorded URL names this service, as it did when it was recorded', async t => {
  const answer = (licenseAcquisitionUrl: string) => ({
    answer: { status: 200, json: { licenseAcquisitionUrl, token: token(1) } },
  })
  const folder = t.testdir({
    '1.json': file({ cookie: 'a' }, answer('https://pr.example.com/behind/playready/RightsManager.asmx?x=1&y')),
    '2.json': file({ cookie: 'b' }, answer('http://pr.example.com:8080/other/path#fragment')),
    '3.json': file({ cookie: 'c' }, answer('https://pr.example.com/?environment=odd')),
  })
  const urlOf = async (server: Pick<TestServer, 'post'>, change: Change) => {
    const response = await server.post({ customerAuthenticator: POOR, ...change }, { accept: 'application/json' })
    return ((await response.json()) as { licenseAcquisitionUrl: string }).licenseAcquisitionUrl // as documented
  }
  const settings = { MODE: 'replay', RECORD_DIR: folder, HIDE_UPSTREAM: 'true' }
  const plain = await startTestServer(t, { settings })
  t.equal(await urlOf(plain, { cookie: 'a' }), `${plain.url}/playready/RightsManager.asmx?x=1&y`)
  t.equal(await urlOf(plain, { cookie: 'b' }), `${plain.url}/other/path`)
  t.equal(await urlOf(plain, { cookie: 'c' }), 'https://pr.example.com/?environment=odd', 'as the gateway told it')

  const PUBLIC_URL = 'https://api.service.expressplay.com/play'
  const named = await startTestServer(t, { settings: { ...settings, PUBLIC_URL } })
  const ours = 'https://api.service.expressplay.com/play/playready/RightsManager.asmx?x=1&y&environment=test'
  t.equal(await urlOf(named, { cookie: 'a' }), ours)
})

t.test('with HIDE_UPSTREAM recorded URLs of every DRM name this service', async t => {
  const folder = t.testdir(
    Object.fromEntries(
      FAMILIES.map(({ family, order, answer }, index) => [
        `${index}.json`,
        JSON.stringify({
          ...JSON.parse(file({}, { answer: { status: 200, text: answer(token(index)) } })),
          request: {
            ...{ environment: 'test', customerId: 777, path: family.tokenPath, secrets: ['contentKey'] },
            parameters: { ...order, errorFormat: 'json', contentKey: undefined },
          },
        }),
      ]),
    ),
  )
  const replay = await startTestServer(t, { settings: { MODE: 'replay', RECORD_DIR: folder, HIDE_UPSTREAM: 'true' } })
  const { customerAuthenticator } = sampleParameters
  for (const [index, { family, order }] of FAMILIES.entries()) {
    const body = new URLSearchParams({ customerAuthenticator, errorFormat: 'json', ...order })
    const answer = await fetch(replay.url + family.tokenPath, { method: 'POST', body })
    const issued = tokenIn(family, await answer.text())
    t.equal(issued?.licenseAcquisitionUrl, `${replay.url}${family.licences.path}`, family.name)
    t.equal(issued?.token, token(index), family.name)
  }
})

t.test('a recording is for the tokens of its path, and PlayReady where it has none', async t => {
  const plain = JSON.parse(file({}, answered(1)))
  const request = { environment: 'test', customerId: 777, path: '/hms/wv/token', secrets: ['contentKey'] }
  const { kid, errorFormat } = plain.request.parameters
  const widevine = { ...plain, request: { ...request, parameters: { kid, errorFormat } } }
  const folder = t.testdir({ '1.json': JSON.stringify(plain), '2.json': JSON.stringify(widevine) })
  const { ask, url } = await startReplay(t, folder)
  t.equal(await tokenOf(await ask({})), token(1))
  const body = form({ errorFormat: 'json', rightsType: null })
  const wrong = await fetch(`${url}/hms/fp/token`, { method: 'POST', body: form({ iv: '0'.repeat(32) }) })
  t.match(await errorOf(wrong), { message: /nearest, \d\.json, token path is \/hms\/(?:wv|pr)\/token/ })
  for (const name of [...body.keys()].filter(name => /OPL$/.test(name))) body.delete(name)
  const right = await fetch(`${url}/hms/wv/token`, { method: 'POST', body })
  t.match(await right.text(), /ExpressPlayToken=/)

  const unknown = t.testdir({ '1.json': JSON.stringify({ ...widevine, request: { ...widevine.request, path: '/x' } }) })
  await t.rejects(startReplay(t, unknown), /^RECORD_DIR 1\.json: request\.path /)
})

t.test('a folder with faults is no start, and each of them is told', async t => {
  const folder = t.testdir({
    'a.json': '{',
    'b.json': file({ cookie: 'secret-value' }, { answer: { status: 99, text: '', json: {} } }),
    'c.json': file({ cookie: 'c' }, { failure: 'bad luck' as 'timed out' }, { customerId: 1.5 }),
    'e.json': file({}, { answer: { status: 200, json: { deep: 0 } } }).replace(
      '"deep":0',
      `"deep":${'['.repeat(50_000)}${']'.repeat(50_000)}`,
    ),
    'd.json': JSON.stringify({ ...JSON.parse(file({})), format: 2, 'secret-value': 1 }),
  })
  mkdirSync(join(folder, 'f.json'))
  if (process.platform !== 'win32') execFileSync('mkfifo', [join(folder, 'g.json')])
  const error = await startReplay(t, folder).catch((error: Error) => error)
  if (!(error instanceof Error)) throw new Error('it started')
  t.equal(error.name, 'ConfigError')
  t.notMatch(error.message, 'secret-value')
  t.strictSame(
    error.message.split('\n').map(line => line.split(' ').slice(0, 3).join(' ')),
    [
      'RECORD_DIR a.json: is',
      'RECORD_DIR b.json: answer.status',
      'RECORD_DIR b.json: answer',
      'RECORD_DIR c.json: request.customerId',
      'RECORD_DIR c.json: failure',
      'RECORD_DIR d.json: format',
      'RECORD_DIR d.json: has',
      'RECORD_DIR e.json: answer.json',
      'RECORD_DIR f.json: is',
      ...(process.platform === 'win32' ? [] : ['RECORD_DIR g.json: is']),
    ],
    error.message,
  )
  for (const name of 'abcdefg') rmSync(join(folder, `${name}.json`), { recursive: true, force: true })
  writeFileSync(join(folder, '.left-over.tmp'), '')
  await t.rejects(startReplay(t, folder), /^RECORD_DIR has no recordings/)
  await t.rejects(startReplay(t, join(folder, 'missing')), /^RECORD_DIR cannot be read: ENOENT/)
})

/** A recording of the published sample, as somebody might write it. */
function file(
  change: Record<string, string>,
  outcome: Pick<RecordingText, 'answer' | 'failure'> = answered(0),
  request: Partial<RecordingText['request']> = {},
): string {
  const { customerAuthenticator, contentKey, ...parameters } = Object.fromEntries(form(change))
  return JSON.stringify({
    format: 1,
    recordedAt: inRfc3339(NOON),
    request: { environment: 'test', customerId: 777, parameters, secrets: ['contentKey'], ...request },
    ...outcome,
  })
}

function answered(number: number): Pick<RecordingText, 'answer'> {
  const licenseAcquisitionUrl = 'https://pr.test.expressplay.com/playready/RightsManager.asmx'
  return { answer: { status: 200, json: { licenseAcquisitionUrl, token: token(number) } } }
}

function token(number: number): string {
  return `AQAAAAM7AAAA${String(number).padStart(158, '0')}A`
}
