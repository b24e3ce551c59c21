import t from 'tap'
import { pooledRandomness } from '../src/ground/randomness.js'
import { TokenVault } from '../src/tokens/vault.js'
import { startTestServer, tokenOf, uuidOf } from './harness.js'
import { runCommand } from './process.js'
import { RELEASED_KEYS, releasedToken } from './tokens/released.js'

const key = 'b'.repeat(64)

t.test('token prints the answer of a server', async t => {
  t.testdir()
  const { url } = await startTestServer(t)
  const issued = await runCommand(t, ['token', '--url', url])
  t.match(issued, { code: 0, stderr: '' })
  t.match(JSON.parse(issued.stdout), { token: String, licenseAcquisitionUrl: String })

  const rental = ['rightsType=Rental', 'generalFlags=00000001', 'rental.periodEndTime=+60', 'cokie=a']
  const posted = await runCommand(t, ['token', '--url', url, '--post', ...rental])
  t.match(posted, { code: 0, stderr: /Ignored by the server: cokie \(did you mean cookie\?\)/ })

  const several = [
    'kid.0=^a',
    'contentKey.0=00000000000000000000000000000000',
    'kid.1=^b',
    'contentKey.1=00000000000000000000000000000001',
  ]
  t.match(await runCommand(t, ['token', '-u', url, ...several]), { code: 0 })

  t.match(
    await runCommand(t, ['token', '-u', url, 'kid']),
    { code: 1, stdout: /"code":-4018/ },
    'a name alone leaves it out',
  )
  t.match(await runCommand(t, ['token', '-u', url, 'cookie=a=b', 'errorFormat=']), { code: 1, stdout: /-3004/ })
})

t.test('token says when there is no answer, without the authenticator', async t => {
  t.testdir()
  const { code, stderr } = await runCommand(t, ['token', '--url', 'http://127.0.0.1:1'])
  t.equal(code, 2)
  t.match(stderr, /No answer from http:\/\/127\.0\.0\.1:1/)
  t.notMatch(stderr, '1ad8eed133edf43cbcc185f0236828ae')
  t.match(await runCommand(t, ['token', '--url', 'nonsense']), { code: 2 })
})

t.test('a server that does not answer in time is not a wrong URL', async t => {
  t.testdir()
  const late = new DOMException('The operation was aborted due to timeout', 'TimeoutError')
  t.intercept(AbortSignal, 'timeout', { value: () => AbortSignal.abort(late) })
  const listed = await runCommand(t, ['accounts', 'list', '--url', 'http://127.0.0.1:9'])
  t.match(listed, { code: 2, stderr: `No answer from http://127.0.0.1:9: ${late.message}` })
  t.match(await runCommand(t, ['health']), { code: 1, stderr: `not ready: ${late.message}\n` })
})

t.test('inspect opens a token of ours and masks its keys', async t => {
  t.testdir()
  const server = await startTestServer(t, { settings: { TOKEN_KEYS: key } })
  const contentKey = 'c366360da82e9c6e0b0984002a362cf2'
  const token = await tokenOf(
    await server.get({ contentKey, cookie: 'viewer', extensionType: 'abcd', extensionPayload: 'AAEC' }),
  )
  const masked = await runCommand(t, ['inspect', token], { TOKEN_KEYS: key })
  t.equal(masked.code, 0)
  t.match(JSON.parse(masked.stdout), {
    id: uuidOf(token),
    customerId: 201722,
    style: '2021',
    environment: 'test',
    issuedAt: '2026-06-01T12:00:00.000Z',
    expiresAt: '2026-07-01T12:00:00.000Z',
    cookie: 'viewer',
    keys: [{ kid: 'b366360da82e9c6e0b0984002a362cf2', rightsType: 'BuyToOwn', extensionPayload: 'AAEC' }],
  })
  t.notMatch(masked.stdout, contentKey)
  const shown = await runCommand(t, ['inspect', '-', '--show-keys'], { TOKEN_KEYS: key }, `${token}\n`)
  t.match(shown.stdout, contentKey)
  const answer = await (await server.get({ contentKey })).text()
  t.match(await runCommand(t, ['inspect', '-'], { TOKEN_KEYS: key }, answer), { code: 0 }, 'a whole answer will do')

  const { token: released, opened } = releasedToken('bound')
  const former = await runCommand(t, ['inspect', released], { TOKEN_KEYS: RELEASED_KEYS })
  t.match(JSON.parse(former.stdout), { id: opened.id, style: '2015', cookie: 'viewer-4711 ☃' })

  const foreign = await runCommand(t, ['inspect', token], { TOKEN_KEYS: 'c'.repeat(64) })
  t.match(foreign, { code: 1, stderr: /no token that was sealed with these keys/ })
  t.match(await runCommand(t, ['inspect', token]), { code: 2, stderr: /Found no token keys/ })

  const vault = new TokenVault([Buffer.from(key, 'hex')], pooledRandomness())
  const later = vault.seal({ customerId: 5, style: '2021', version: 8 }, Buffer.alloc(76, 255)).token
  const unread = await runCommand(t, ['inspect', later], { TOKEN_KEYS: key })
  t.match(unread, { code: 1, stdout: '', stderr: /^This token was sealed with these keys by another version/ })
})

t.test('health tells whether the server of these settings is ready', async t => {
  t.testdir()
  const { url } = await startTestServer(t)
  t.match(await runCommand(t, ['health'], { PORT: new URL(url).port }), { code: 0 })
  t.match(await runCommand(t, ['health'], { PORT: new URL(url).port, HOST: '0.0.0.0' }), { code: 0 })
  t.match(await runCommand(t, ['health'], { PORT: '1' }), { code: 1, stderr: 'not ready: bad port\n' })
})

t.test('every command has a help with examples', async t => {
  t.testdir()
  for (const command of ['serve', 'token', 'inspect', 'openapi']) {
    const { code, stdout } = await runCommand(t, [command, '--help'])
    t.equal(code, 0)
    t.match(stdout, /Examples:\n {2}\$ expressplay-token-backend/)
  }
  t.match(await runCommand(t, ['openapi']), { code: 0, stdout: /"\/hms\/pr\/token"/ })
  t.match(await runCommand(t, ['openapi', '--entitlement']), { code: 0, stdout: /"\/entitlement"/ })
  t.match(await runCommand(t, ['serve', '-h']), { code: 0, stdout: /--host <address>/ })
  t.match(await runCommand(t, ['--help']), { code: 0, stdout: /serve.*token.*inspect.*health/s })
  t.match(await runCommand(t, ['sreve']), { code: 1, stderr: /unknown command/ })
  t.match(await runCommand(t, ['--version']), { stdout: /^\d+\.\d+\.\d+\n$/ })
})
