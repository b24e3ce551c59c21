import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { playready } from '../../src/drm/playready-family.js'
import { sampleParameters } from '../../src/sample.js'
import { Recorder } from '../../src/upstream/recordings/recorder.js'
import type { RecordingText } from '../../src/upstream/recordings/recording.js'
import { FAMILIES, type FamilyCase } from '../families.js'
import { CONTENT_KEY, NOON, startTestServer, uuidOf } from '../harness.js'
import { eventually } from '../ledger/load.js'
import { LOCAL, REAL, startGateway, tokenIn } from './gateway.js'
import { answerOf, hangs, issuedBody, says, startHostile, tokenNumber } from './hostile.js'

const filesIn = (folder: string) => readdirSync(folder).sort()
const read = (folder: string, file: string) => readFileSync(join(folder, file), 'utf8')
const recordingIn = (folder: string, file: string) => JSON.parse(read(folder, file)) as RecordingText // compared below
const emulated = (t: Test, balance: number) =>
  startTestServer(t, { accounts: [{ id: 777, authenticators: { test: REAL.test }, balance }] })

t.test('an exchange becomes a readable file, with a stand-in for the token and nothing secret', async t => {
  const folder = join(t.testdir(), 'made', 'on-demand')
  const upstream = await emulated(t, 1)
  const gateway = await startGateway(t, upstream.url, { RECORD_DIR: folder })
  const unknown = { oldKey: 'c0ffee00c0ffee00c0ffee00c0ffee00', apiKey: 'hunter2', prFlag: '1' }
  const { body } = await gateway.ask('viewer-1', { expirationTime: '2026-06-01T13:00:00Z', ...unknown })
  const token = body.token ?? ''
  t.match(await gateway.ask('viewer-2'), { body: { code: -2019 } })
  t.match(await gateway.ask('viewer-3', { kid: 'x' }), { body: { code: -4020 } }, 'refused here: no exchange')
  await gateway.close()

  t.strictSame(filesIn(folder), ['0001-test-200.json', '0002-test-400.json'])
  const issued = recordingIn(folder, '0001-test-200.json')
  const { answer } = issued
  const standIn = String(answer?.json?.token)
  t.match(standIn, /^[\w-]{222}$/)
  t.equal(standIn.length, token.length)
  const [shown, real] = [standIn, token].map(text => Buffer.from(text, 'base64url'))
  for (const [begin, end] of [
    [0, 10],
    [46, 50],
  ])
    t.same(shown?.subarray(begin, end), real?.subarray(begin, end), 'version, customer, key number, lengths are kept')
  t.match(uuidOf(standIn), /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/, 'so is the layout')
  t.not(uuidOf(standIn), uuidOf(token), 'with another UUID')
  t.notOk(sharesMoreThanChance(standIn.slice(68), token.slice(68)), 'and nothing else of the token')
  t.strictSame(issued, {
    format: 1,
    recordedAt: '2026-06-01T12:00:00.000Z',
    request: {
      environment: 'test',
      customerId: 9,
      parameters: {
        analogVideoOPL: '0',
        compressedDigitalAudioOPL: '0',
        compressedDigitalVideoOPL: '0',
        cookie: 'viewer-1',
        errorFormat: 'json',
        expirationTime: '2026-06-01T13:00:00Z',
        kid: 'b366360da82e9c6e0b0984002a362cf2',
        prFlag: '1',
        rightsType: 'BuyToOwn',
        uncompressedDigitalAudioOPL: '0',
        uncompressedDigitalVideoOPL: '0',
      },
      secrets: ['apiKey', 'contentKey', 'oldKey'],
    },
    answer: { status: 200, json: { licenseAcquisitionUrl: answer?.json?.licenseAcquisitionUrl, token: standIn } },
  })
  t.match(read(folder, '0001-test-200.json'), /^\{\n {2}"format": 1,\n/)
  t.match(recordingIn(folder, '0002-test-400.json').answer, { status: 400, json: { code: -2019 } })
  nothingSecretIn(t, folder, [token, ...Object.values(unknown).slice(0, 2)])

  const later = await startGateway(t, upstream.url, { RECORD_DIR: folder })
  await later.ask('viewer-4')
  await later.close()
  t.strictSame(filesIn(folder), ['0001-test-200.json', '0002-test-400.json', '0003-test-400.json'], 'counted on')
})

t.test('whatever an upstream repeats of a request, and however it fails', async t => {
  const folder = t.testdir()
  const upstream = await startHostile(t, ({ socket, form }) => {
    if (form.get('cookie') === 'reset') return void socket.destroy()
    const page = `<p>${form} ${form.get('customerAuthenticator')} ${CONTENT_KEY.toUpperCase()} {"token": "${'Ab_9'.repeat(40)}`
    socket.end(`HTTP/1.1 500 Oh\r\nconnection: close\r\n\r\n${page}`)
  })
  const gateway = await startGateway(t, upstream.url, { RECORD_DIR: folder })
  t.equal((await gateway.ask('page')).status, 502)
  t.equal((await gateway.ask('reset')).status, 502)
  await upstream.stop()
  t.equal((await gateway.ask('away')).status, 502)
  await gateway.close()
  t.strictSame(filesIn(folder).slice(0, 4), [
    '0001-test-500.json',
    '0002-test-connection-lost.json',
    '0003-test-not-reached.json',
    '0004-test-not-reached.json',
  ])
  t.match(recordingIn(folder, '0001-test-500.json').answer, { status: 500, text: /^<p>.*cookie=page/ })
  t.match(recordingIn(folder, '0002-test-connection-lost.json'), { failure: 'connection lost' })
  t.notOk('try' in recordingIn(folder, '0003-test-not-reached.json').request)
  t.match(recordingIn(folder, '0004-test-not-reached.json'), { failure: 'not reached', request: { try: 2 } })
  nothingSecretIn(t, folder, ['Ab_9Ab_9Ab_9Ab_9Ab_9'])
})

t.test('a good answer is recorded as it is, whatever its words have in common with unknown parameters', async t => {
  const folder = t.testdir()
  const json = {
    licenseAcquisitionUrl: 'https://pr.playready.example.com:8443/playready/RightsManager.asmx?a=1',
    token: tokenNumber(1),
    status: 20260601,
    licenseAcquisitionNote: ['a word of author', { playready: true }],
  }
  const upstream = await startHostile(t, ({ socket }) => void socket.end(answerOf(JSON.stringify(json))))
  const gateway = await startGateway(t, upstream.url, { RECORD_DIR: folder })
  const words = { keySystem: 'playready', keyName: 'token', authNote: 'author', pin: '20260601', keyKind: 'AQAAAAM7' }
  const path = { credential: 'RightsManager', apiKey: 'licenseAcquisitionUrl', host: 'pr.playready.example.com' }
  t.match(await gateway.ask('good', { ...words, ...path }), { status: 200, body: { token: tokenNumber(1) } })
  await gateway.close()
  const { request, answer } = recordingIn(folder, '0001-test-200.json')
  t.strictSame({ ...answer?.json, token: '' }, { ...json, token: '' })
  t.equal(String(answer?.json?.token).slice(0, 16), json.token.slice(0, 16))
  const names = [...Object.keys(words), ...Object.keys(path), 'contentKey'].sort()
  t.strictSame(request.secrets, names, 'a parameter that nobody knows is a secret')
})

t.test('secrets that an answer repeats in other spellings are not recorded', async t => {
  const folder = t.testdir()
  const secrets = {
    access_token: 'tok-4711-4711',
    jwt: `eyJ${'Zm9vYmFy'.repeat(10)}`,
    bearer: 'Bearer q.w?e',
    cek: 'Dtr+xQ/sYc//Cg8eAB==',
    pwd: 'pass "wörd" & <more>',
    sig: 'short77',
  }
  const said = (form: URLSearchParams) => {
    const all = Object.keys(secrets).map(name => form.get(name) ?? '')
    const escaped = JSON.stringify(all).replaceAll('/', '\\/')
    const ascii = escaped.replace(/[+&<>ö]/g, one => `\\u00${one.charCodeAt(0).toString(16).toUpperCase()}`)
    const html = all.join(' ').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&#34;')
    return [`${form}`, all.map(encodeURIComponent).join(), all.join(' ').toUpperCase(), escaped, ascii, html].join('\n')
  }
  const upstream = await startHostile(t, ({ socket, form }) => {
    const text = said(form)
    const url = `https://pr.example.com/x?${form}`
    const json = JSON.stringify({ token: form.get('jwt'), licenseAcquisitionUrl: url, deep: [{ message: text }] })
    socket.end(answerOf(form.get('cookie') === 'json' ? json : `<p>${text}\n"token":"${form.get('jwt')}"`))
  })
  const gateway = await startGateway(t, upstream.url, { RECORD_DIR: folder })
  const named = { 'hidden/by?no=name': '', prFlag: '1', verbose: 'true', actionTokenType: 'one' }
  for (const cookie of ['json', 'text']) await gateway.ask(cookie, { ...secrets, ...named })
  await gateway.close()
  const { answer, request } = recordingIn(folder, '0001-test-200.json')
  t.match(answer?.json?.licenseAcquisitionUrl, /^https:\/\/pr\.example\.com\/x\?.*access_token=…&/)
  t.match(request, { parameters: { prFlag: '1', verbose: 'true', actionTokenType: 'one' } })
  t.strictSame(request.secrets, [...Object.keys(secrets), 'contentKey'].sort())
  const { sig, jwt, ...others } = secrets
  const parts = ['tok-4711', 'q.w', 'q%2', 'Cg8eAB', 'more', 'rd\\"', 'rd%22', jwt.slice(0, 12)]
  nothingSecretIn(t, folder, [...Object.values(others), ...parts])
  t.match(read(folder, '0002-test-200.json'), /sig=short77/, 'less than eight characters may be any word')
})

t.test('exchanges of every DRM are recorded in either form of answer, and replayed without one another', async t => {
  const folder = t.testdir()
  const upstream = await startHostile(t, hangs)
  const gateway = await startGateway(t, upstream.url, { RECORD_DIR: folder })
  const tokens: string[] = []
  const contentOf = ({ family }: FamilyCase): Record<string, string> =>
    family.drm === 'marlin' ? { contentId: 'urn:marlin:kid:b366360da82e9c6e0b0984002a362cf2' } : {}
  for (const of of FAMILIES)
    for (const answer of [issuedBody, of.answer]) {
      const token = randomBytes(240).toString('base64url')
      tokens.push(token)
      upstream.behave = says(answerOf(answer(token), { type: of.family.answer.contentType }))
      const cookie = answer === of.answer ? 'own form' : 'json'
      t.equal((await gateway.askFor(of, cookie, contentOf(of))).body.token, token)
    }
  await gateway.close()
  const names = FAMILIES.map(({ family }) => (family.name === 'playready' ? '' : `-${family.name}`))
  t.strictSame(
    filesIn(folder),
    names.flatMap((name, index) =>
      [1, 2].map(number => `${String(2 * index + number).padStart(4, '0')}-test${name}-200.json`),
    ),
  )
  const recorded = filesIn(folder).map(file => recordingIn(folder, file).request)
  t.notOk('path' in (recorded[0] ?? {}), 'PlayReady is recorded as ever')
  t.strictSame(
    recorded.slice(2).map(({ path }) => path),
    FAMILIES.slice(1).flatMap(({ family }) => [family.tokenPath, family.tokenPath]),
  )
  for (const { secrets } of recorded) t.strictSame(secrets, ['contentKey'])
  t.equal(recorded[4]?.parameters.iv, '00112233445566778899aabbccddeeff', 'an initialisation vector is public')
  t.match(recorded[6]?.parameters.contentId, /^urn:marlin:kid:/)
  const parts = tokens.flatMap(token => [token.slice(16), Buffer.from(token, 'base64url').toString('base64').slice(16)])
  nothingSecretIn(
    t,
    folder,
    parts.flatMap(token => [token.slice(0, 24), token.slice(100, 124), token.slice(-24)]),
  )

  const replay = await startTestServer(t, { settings: { MODE: 'replay', RECORD_DIR: folder } })
  const { customerAuthenticator } = sampleParameters
  for (const [index, of] of FAMILIES.entries()) {
    const ask = async (cookie: string, headers = {}) => {
      const body = new URLSearchParams({
        customerAuthenticator,
        errorFormat: 'json',
        ...of.order,
        ...contentOf(of),
        cookie,
      })
      const answer = await fetch(`${replay.url}${of.family.tokenPath}`, { method: 'POST', body, headers })
      return { status: answer.status, text: await answer.text() }
    }
    for (const [which, cookie] of ['json', 'own form'].entries()) {
      const own = tokenIn(of.family, (await ask(cookie)).text)
      const json = tokenIn(of.family, (await ask(cookie, { accept: 'application/json' })).text)
      t.strictSame(own, json, `${of.family.name}, ${cookie}`)
      const token = tokens[2 * index + which] ?? ''
      t.equal(own?.token.length, token.length)
      t.equal(own?.token.slice(0, 16), token.slice(0, 16))
      if (cookie === 'own form') t.equal(own?.licenseAcquisitionUrl, of.licenceUrl)
    }
    const { text } = await ask('nobody')
    t.match(JSON.parse(text), { code: -2030, message: /nearest, .*, cookie is "(?:json|own form)"$/ }, of.family.name)
  }
})

t.test('the key of a Broadband user is a secret, in whatever spelling it comes back', async t => {
  const folder = t.testdir()
  const userKey = 'ab12cd34ef56ab12cd34ef56ab12cd34'
  const upstream = await startHostile(t, ({ socket, form }) => {
    const message = `no ${form.get('userKey')} ${form.get('userKey')?.toUpperCase()} of ${form.get('userId')}`
    socket.write(answerOf(JSON.stringify({ code: -2034, message }), { status: '400 No' }))
  })
  const gateway = await startGateway(t, upstream.url, { RECORD_DIR: folder })
  gateway.keepSecret(userKey)
  const bb = FAMILIES.find(({ family }) => family.name === 'bb')
  if (bb === undefined) throw new Error('no Broadband')
  const userId = '0123456789abcdef0123456789abcdef'
  const registration = { actionTokenType: '0', userId, userKey, contentKey: null, rightsType: null }
  const { body } = await gateway.askFor(bb, 'registers', registration)
  t.match(body, { code: -2034, message: `[-2034] no … … of ${userId}` })
  await gateway.close()
  t.match(recordingIn(folder, '0001-test-bb-400.json').request, { parameters: { userId }, secrets: ['userKey'] })
  nothingSecretIn(t, folder, [userKey])
})

t.test('a parameter of another DRM is unknown, and unknown values are not recorded', async t => {
  const folder = t.testdir()
  const upstream = await emulated(t, 1)
  const gateway = await startGateway(t, upstream.url, { RECORD_DIR: folder })
  t.equal((await gateway.ask('viewer', { contentURL: 'https://a.example/?sig=1', userId: 'somebody' })).status, 200)
  await gateway.close()
  const { parameters, secrets } = recordingIn(folder, '0001-test-200.json').request
  t.strictSame(secrets, ['contentKey', 'contentURL', 'userId'])
  t.notOk('userId' in parameters)
})

t.test('two that record in one folder lose nothing, and what was recorded can be replayed', async t => {
  const folder = t.testdir()
  const upstream = await startHostile(t, says(answerOf('{}', { status: '999 Odd' })))
  const settings = { RECORD_DIR: folder }
  const gateways = [await startGateway(t, upstream.url, settings), await startGateway(t, upstream.url, settings)]
  const cookies = Array.from({ length: 40 }, (_, number) => `viewer-${number}`)
  await Promise.all(cookies.map((cookie, index) => gateways[index % 2]?.ask(cookie)))
  await Promise.all(gateways.map(gateway => gateway.close()))
  const recorded = filesIn(folder).map(file => recordingIn(folder, file))
  t.strictSame(recorded.map(({ request }) => request.parameters.cookie).sort(), cookies.sort())
  t.match(recorded[0]?.answer, { status: 999 })
  const replay = await startTestServer(t, { settings: { MODE: 'replay', RECORD_DIR: folder } })
  t.equal((await replay.post({ cookie: 'viewer-1' })).status, 502, 'as it was')
})

t.test('a folder that cannot be written to costs nobody an answer', async t => {
  const folder = join(t.testdir(), 'recordings')
  const upstream = await emulated(t, 100)
  const gateway = await startGateway(t, upstream.url, { RECORD_DIR: folder })
  rmSync(folder, { recursive: true })
  for (const cookie of ['1', '2', '3']) t.equal((await gateway.ask(cookie)).status, 200)
  const warned = () => gateway.log.filter(line => line.includes('are not recorded'))
  while (warned().length === 0) await gateway.ask('until it is told')
  t.match(JSON.parse(warned()[0] ?? ''), { level: 40, reason: 'ENOENT' })

  mkdirSync(folder)
  while (filesIn(folder).length === 0) await gateway.ask('until it works again')
  await gateway.close()
  t.equal(warned().length, 1, 'told once')
  t.match(filesIn(folder)[0], /^\d{4}-test-200\.json$/)

  const file = t.testdir({ file: '' })
  await t.rejects(
    startGateway(t, upstream.url, { RECORD_DIR: join(file, 'file') }),
    /RECORD_DIR cannot be used: ENOTDIR/,
  )
  if (process.platform === 'linux')
    await t.rejects(startGateway(t, upstream.url, { RECORD_DIR: '/proc/x/y' }), /RECORD_DIR cannot be used: ENOENT/)
})

t.test('a disk that is too slow is said once', async t => {
  const folder = t.testdir()
  const lines: string[] = []
  const recorder = new Recorder(folder, pino({}, { write: line => void lines.push(line) }))
  const asked = { environment: 'test', customerId: 9, authenticator: REAL.test, parameters: {} } as const
  const request = { ...asked, family: playready }
  const heard = { request, time: NOON, tries: 1, outcome: { status: 200, body: '{}' } }
  for (let round = 1; round <= 5; round++) {
    for (let number = 0; number < 1100; number++) recorder.record(heard)
    await eventually(async () => filesIn(folder).length >= round * 3, 'some are written')
  }
  await recorder.close()
  t.equal(lines.filter(line => line.includes('are not recorded')).length, 1)
  recorder.record(heard)
  await recorder.close()
  t.match(JSON.parse(lines.at(-1) ?? ''), { msg: 'exchanges with the upstream are recorded again', lost: Number })
})

t.test(
  'files are for their owner alone, deep answers are kept as text, and counting goes on in any folder',
  async t => {
    const folder = t.testdir({ '9007199254740993-test-200.json': '', '41-test-200.json': '' })
    const deep = `{"code":-2005,"message":"No","more":${'['.repeat(5000)}${']'.repeat(5000)}}`
    const upstream = await startHostile(t, says(answerOf(deep, { status: '400 No' })))
    const gateway = await startGateway(t, upstream.url, { RECORD_DIR: folder })
    t.match(await gateway.ask('viewer'), { status: 400, body: { code: -2005 } })
    await gateway.close()
    const file = '0042-test-400.json'
    t.ok(filesIn(folder).includes(file))
    t.equal(statSync(join(folder, file)).mode & 0o777, 0o600)
    t.match(recordingIn(folder, file), { answer: { status: 400, text: /^\{"code":-2005/ } })
  },
)

function nothingSecretIn(t: Test, folder: string, secrets: readonly string[]): void {
  const told = filesIn(folder).map(file => read(folder, file).toLowerCase())
  const keys = [...Object.values(LOCAL), ...Object.values(REAL)].map(text => text.replace(/^\d+,/, ''))
  for (const secret of [CONTENT_KEY, ...keys, ...secrets])
    t.notOk(
      told.some(text => text.includes(secret.toLowerCase())),
      'a secret',
    )
}

/** Of 154 characters with 64 values about two and a half are the same by chance. */
function sharesMoreThanChance(one: string, other: string): boolean {
  return [...one].filter((character, index) => character === other[index]).length > 20
}
