import t from 'tap'
import { Families } from '../../src/drm/families.js'
import { pooledRandomness, randomBytes } from '../../src/ground/randomness.js'
import { ByteWriter } from '../../src/tokens/bytes.js'
import { openToken } from '../../src/tokens/token-content.js'
import { type TokenKeys, TokenVault } from '../../src/tokens/vault.js'
import { type Change, CONTENT_KEY, errorOf, form, startTestServer, tokenOf } from '../harness.js'

const random = pooledRandomness()
const [first, second] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
const vaultOf = (...keys: TokenKeys) => new TokenVault(keys, random)

t.test('the outer layout is that of the real token', async t => {
  const server = await startTestServer(t)
  const token = await tokenOf(await server.get())
  const bytes = Buffer.from(token, 'base64url')
  t.equal(token.length, 171, 'as long as the real one')
  t.equal(bytes[0], 1, 'version')
  t.equal(bytes.readUInt32BE(1), 201722, 'customer number')
  t.equal(bytes.readUInt32BE(8), bytes.length - 12 - 16, 'length of the sealed part')
  t.notOk(bytes.includes(Buffer.from('b366360da82e9c6e0b0984002a362cf2', 'hex')), 'neither key nor kid is readable')
  t.not(token, await tokenOf(await server.get()), 'no two tokens are the same')
})

t.test('a token that was changed in any single bit does not open', async t => {
  const server = await startTestServer(t)
  const token = await tokenOf(await server.get({ cookie: 'a cookie', deviceId: '00112233445566778899aabbccddeeff' }))
  t.ok(server.openToken(token))
  const bytes = Buffer.from(token, 'base64url')
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const changed = Buffer.from(bytes)
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    if (server.openToken(changed.toString('base64url')) !== undefined) t.fail(`bit ${bit}`)
  }
})

t.test('a token has one spelling', async t => {
  const server = await startTestServer(t)
  const token = await tokenOf(await server.get())
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(token.at(-1) ?? '')
  for (let other = 0; other < 64; other += 1)
    t.equal(server.openToken(token.slice(0, -1) + alphabet[other]) !== undefined, other === last)
  for (const spelling of [
    `${token}=`,
    ` ${token}`,
    `${token}\n`,
    token.slice(0, -1),
    `${token}A`,
    '',
    'A',
    '*'.repeat(171),
  ])
    t.equal(server.openToken(spelling), undefined)
})

t.test('keys rotate: the first seals, all open', async t => {
  const content = Buffer.from('content')
  const before = vaultOf(first)
  const during = vaultOf(second, first)
  const after = vaultOf(second)
  const old = before.seal(7, content).token
  const recent = during.seal(7, content).token
  t.match(during.open(old), { customerId: 7, content }, 'an old token stays redeemable')
  t.equal(after.open(old), undefined, 'until its key is gone')
  t.match(after.open(recent), { customerId: 7, content })
  t.equal(before.open(recent), undefined)
})

t.test('contents of any length are sealed and opened', async t => {
  const vault = vaultOf(first)
  for (const length of [0, 1, 76, 77, 76, 5000, 76]) {
    const content = randomBytes(random, length)
    const { token, id } = vault.seal(0xffffffff, content)
    t.match(vault.open(token), { customerId: 0xffffffff, id, content }, `${length} bytes`)
  }
})

t.test('a sealed text that is no token content is an error of ours, not a token', async t => {
  const vault = vaultOf(first)
  t.throws(() => openToken(vault, new Families(), vault.seal(1, Buffer.from([9])).token), RangeError)
  t.throws(() => openToken(vault, new Families(), vault.seal(1, Buffer.from([1, 0, 0, 1])).token), RangeError)
})

t.test('a token carries a payload of up to 4096 characters, whole', async t => {
  const server = await startTestServer(t)
  const payload = randomBytes(random, 3072).toString('base64')
  const token = await tokenOf(await server.post({ extensionType: 'abcd', extensionPayload: payload }))
  const opened = server.openToken(token)
  t.equal(opened?.keys[0]?.policy.extensionPayload?.toString('base64'), payload)
  const next = await tokenOf(await server.post())
  t.equal(next.length, 171, 'and the next one is short again')
  t.match(server.openToken(next)?.keys[0]?.contentKey, form().get('contentKey'))
})

t.test('neither a payload nor a token may be longer than a URL carries', async t => {
  const server = await startTestServer(t, { settings: { BODY_LIMIT: 16 * 1024 * 1024 } })
  const refusal = async (change: Change) => {
    const answer = await server.post({ extensionType: 'abcd', ...change })
    const { code, parameter, message } = await errorOf(answer)
    return { status: answer.status, code, parameter, message }
  }
  const tooLong = { status: 400, code: -2037, parameter: 'extensionPayload', message: /: at most 4096 characters$/ }
  for (const characters of [4100, 12 * 1024 * 1024])
    t.match(await refusal({ extensionPayload: 'A'.repeat(characters) }), tooLong, `${characters} characters`)

  const keysWith = (characters: number): Change => ({
    kid: null,
    contentKey: null,
    extensionPayload: 'A'.repeat(characters),
    cookie: 'é'.repeat(32),
    ...Object.fromEntries(
      Array.from({ length: 16 }, (_, index) => [
        [`kid.${index}`, `^${index}`],
        [`contentKey.${index}`, CONTENT_KEY],
      ]).flat(),
    ),
  })
  const token = await tokenOf(await server.post({ extensionType: 'abcd', ...keysWith(400) }))
  t.ok(token.length > 7000 && token.length <= 8000, `all that goes into a token: ${token.length} characters`)
  t.match(await refusal(keysWith(500)), { ...tooLong, message: /the token would be longer than 8000 characters$/ })
  t.equal((await server.post()).status, 200)
})

t.test('a large content leaves no large buffer behind', async t => {
  const writer = new ByteWriter()
  const write = (bytes: number) => {
    writer.begin()
    writer.bytes(Buffer.alloc(bytes, 7))
    return writer.finish(0)
  }
  const large = write(1_000_000)
  const small = write(10)
  t.same([large.length, small.length], [1_000_000, 10])
  t.ok(
    large.every(byte => byte === 7),
    'it is not written over',
  )
  t.ok(100 * small.buffer.byteLength < large.buffer.byteLength)
  t.equal(write(10).buffer, small.buffer, 'and a small one is used again')
})
