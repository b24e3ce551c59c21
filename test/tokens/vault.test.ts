import t from 'tap'
import { Families } from '../../src/drm/families.js'
import { TOKEN_STYLES, type TokenStyle } from '../../src/ground/account-choices.js'
import { pooledRandomness, randomBytes } from '../../src/ground/randomness.js'
import { sampleParameters } from '../../src/sample.js'
import { ByteWriter } from '../../src/tokens/bytes.js'
import { openToken } from '../../src/tokens/token-content.js'
import { type TokenKeys, TokenVault } from '../../src/tokens/vault.js'
import { type Change, CONTENT_KEY, errorOf, form, startTestServer, tokenOf, uuidOf } from '../harness.js'
import { RELEASED_KEYS, releasedTokens } from './released.js'

const random = pooledRandomness()
const [first, second] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
const vaultOf = (...keys: TokenKeys) => new TokenVault(keys, random)
const NOTHING_READABLE = Buffer.from('b366360da82e9c6e0b0984002a362cf2', 'hex')
const outside = { customerId: 7, style: '2021', version: 8 } as const

t.test('the outer layout of 2015', async t => {
  const server = await startTestServer(t, { settings: { TOKEN_STYLE: '2015' } })
  const token = await tokenOf(await server.get())
  const bytes = Buffer.from(token, 'base64url')
  t.equal(token.length, 171, 'as long as the real one')
  t.equal(bytes[0], 1, 'version')
  t.equal(bytes.readUInt32BE(1), 201722, 'customer number')
  t.equal(bytes.readUInt32BE(8), bytes.length - 12 - 16, 'length of the sealed part')
  t.notOk(bytes.includes(NOTHING_READABLE), 'neither key nor kid is readable')
  const opened = server.openToken(token)
  t.match(opened, { style: '2015', id: token.slice(16, 32) })
  t.not(token, await tokenOf(await server.get()), 'no two tokens are the same')
})

t.test('the outer layout of 2021, which is the default', async t => {
  const server = await startTestServer(t)
  const token = await tokenOf(await server.get())
  const bytes = Buffer.from(token, 'base64url')
  t.equal(token.length, 222, 'as long as the shortest real one')
  t.equal(bytes[0], 8, 'the version of PlayReady')
  t.equal(bytes.readUInt32BE(1), 201722, 'customer number')
  t.equal(bytes.readUInt16BE(8), 0x24, 'length of the UUID')
  const uuid = bytes.toString('latin1', 10, 46)
  t.match(uuid, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/, 'a UUID of random bytes')
  t.equal(bytes.readUInt32BE(46), 0x60, 'length of the sealed part')
  t.equal(bytes.length, 50 + 0x60 + 20, 'and a tag of 20 bytes')
  t.notOk(bytes.includes(NOTHING_READABLE), 'neither key nor kid is readable')
  t.match(server.openToken(token), { style: '2021', id: uuid })

  const other = Buffer.from(await tokenOf(await server.get()), 'base64url')
  t.same(other.subarray(0, 10), bytes.subarray(0, 10), 'the key number is the same')
  t.not(uuidOf(other.toString('base64url')), uuid)
  for (const [begin, end] of [
    [50, 70],
    [70, 146],
    [146, 162],
    [162, 166],
  ])
    t.notSame(other.subarray(begin, end), bytes.subarray(begin, end), `bytes ${begin} to ${end} are others each time`)
})

t.test('the version of a token of 2021 is that of its DRM, and the length that of a short one', async t => {
  const server = await startTestServer(t)
  const key = { kid: 'b366360da82e9c6e0b0984002a362cf2', contentKey: CONTENT_KEY }
  const account = { customerAuthenticator: sampleParameters.customerAuthenticator }
  for (const [path, version, more] of [
    ['pr', 8, sampleParameters],
    ['wv', 7, { securityLevel: '1', hdcpOutputControl: '0' }],
    ['fp', 6, { iv: '00112233445566778899aabbccddeeff' }],
    ['ms3', 5, {}],
  ] as const) {
    const query = new URLSearchParams({ ...more, ...account, ...key })
    const headers = { accept: 'application/json' }
    const token = await tokenOf(await fetch(`${server.url}/hms/${path}/token?${query}`, { headers }))
    server.keepSecret(token)
    const bytes = Buffer.from(token, 'base64url')
    t.match({ version: bytes[0], id: uuidOf(token) }, { version, id: server.openToken(token)?.id }, path)
    t.ok(token.length >= 222 && token.length <= 264, `${path}: ${token.length} characters`)
  }
})

t.test('the style of an account overrules that of the server', async t => {
  for (const [TOKEN_STYLE, tokenStyle, expected] of [
    ['2021', '2015', '2015'],
    ['2015', '2021', '2021'],
    ['2015', null, '2015'],
    [undefined, null, '2021'],
  ] as const) {
    const authenticators = { test: sampleParameters.customerAuthenticator }
    const accounts = [{ id: 201722, authenticators, tokenStyle }]
    const server = await startTestServer(t, { settings: { TOKEN_STYLE }, accounts })
    const token = await tokenOf(await server.get())
    t.match(server.openToken(token), { style: expected }, `${TOKEN_STYLE} and ${tokenStyle}`)
    t.equal(token.length, expected === '2015' ? 171 : 222)
  }
})

t.test('a longer content makes the sealed part longer, by 16 bytes at a time', async t => {
  const server = await startTestServer(t)
  const lengths = new Set<number>()
  for (let characters = 0; characters <= 32; characters += 1) {
    const token = await tokenOf(await server.get({ cookie: 'c'.repeat(characters), ipAddress: '203.0.113.7' }))
    const bytes = Buffer.from(token, 'base64url')
    lengths.add(bytes.readUInt32BE(46))
    if (bytes.length !== 50 + bytes.readUInt32BE(46) + 20) t.fail(`${characters} characters`)
    t.match(server.openToken(token), { cookie: 'c'.repeat(characters), ipAddress: '203.0.113.7' })
  }
  t.same([...lengths], [0x60, 0x70, 0x80])
})

for (const TOKEN_STYLE of TOKEN_STYLES) {
  t.test(`a token of ${TOKEN_STYLE} that was changed in any single bit does not open`, async t => {
    const server = await startTestServer(t, { settings: { TOKEN_STYLE } })
    const token = await tokenOf(await server.get({ cookie: 'a cookie', deviceId: '00112233445566778899aabbccddeeff' }))
    t.match(server.openToken(token), { style: TOKEN_STYLE })
    const bytes = Buffer.from(token, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      if (server.openToken(changed.toString('base64url')) !== undefined) t.fail(`bit ${bit}`)
    }
  })

  t.test(`a token of ${TOKEN_STYLE} has one spelling`, async t => {
    const server = await startTestServer(t, { settings: { TOKEN_STYLE } })
    const token = await tokenOf(await server.get())
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const last = alphabet.indexOf(token.at(-1) ?? '')
    for (let other = 0; other < 64; other += 1)
      t.equal(server.openToken(token.slice(0, -1) + alphabet[other]) !== undefined, other === last)
    const base64 = Buffer.from(token, 'base64url').toString('base64')
    const others = [`${token}=`, ` ${token}`, `${token}\n`, token.slice(0, -1), `${token}A`, '', 'A', base64]
    for (const spelling of [...others, '*'.repeat(token.length)]) t.equal(server.openToken(spelling), undefined)
  })
}

t.test('a token of one style does not open as one of the other', async t => {
  const vault = vaultOf(first)
  const bytesOf = (style: TokenStyle) =>
    Buffer.from(vault.seal({ ...outside, style }, Buffer.alloc(76)).token, 'base64url')
  const [older, newer] = [bytesOf('2015'), bytesOf('2021')]
  const asOlder = Buffer.concat([older.subarray(0, 12), newer.subarray(50)])
  asOlder.writeUInt32BE(asOlder.length - 12 - 16, 8)
  const asNewer = Buffer.concat([newer.subarray(0, 50), older.subarray(12), Buffer.alloc(4)])
  asNewer.writeUInt32BE(asNewer.length - 50 - 20, 46)
  for (const mixed of [asOlder, asNewer]) t.equal(vault.open(mixed.toString('base64url')), undefined)
})

t.test('tokens of the last release, whose only style was that of 2015, open as they did', async t => {
  const server = await startTestServer(t, { settings: { TOKEN_KEYS: RELEASED_KEYS } })
  for (const { title, token, opened } of releasedTokens) {
    const { style, charge, ...same } = server.openToken(token) ?? {}
    t.same(JSON.parse(JSON.stringify(same, bytesAsBase64)), opened, title)
    t.same({ style, charge }, { style: '2015', charge: 'issue' })
  }
})

function bytesAsBase64(_name: string, value: unknown): unknown {
  const isBytes = typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer'
  return isBytes && 'data' in value ? Buffer.from(value.data as number[]).toString('base64') : value // as Buffer writes itself
}

t.test('keys rotate: the first seals, all open', async t => {
  const content = Buffer.from('content')
  const before = vaultOf(first)
  const during = vaultOf(second, first)
  const after = vaultOf(second)
  const old = before.seal(outside, content).token
  const recent = during.seal(outside, content).token
  t.match(during.open(old), { customerId: 7, content }, 'an old token stays redeemable')
  t.equal(after.open(old), undefined, 'until its key is gone')
  t.match(after.open(recent), { customerId: 7, content })
  t.equal(before.open(recent), undefined)
})

t.test('contents of any length are sealed and opened', async t => {
  const vault = vaultOf(first)
  for (const style of [...TOKEN_STYLES, ...TOKEN_STYLES])
    for (const length of [0, 1, 76, 77, 76, 5000, 76]) {
      const content = randomBytes(random, length)
      const { token, id } = vault.seal({ customerId: 0xffffffff, style, version: 5 }, content)
      t.match(vault.open(token), { customerId: 0xffffffff, style, id, content }, `${length} bytes`)
    }
})

t.test('a sealed text that is no token content is an error of ours, not a token', async t => {
  const vault = vaultOf(first)
  t.throws(() => openToken(vault, new Families(), vault.seal(outside, Buffer.from([9])).token), RangeError)
  t.throws(() => openToken(vault, new Families(), vault.seal(outside, Buffer.from([1, 0, 0, 1])).token), RangeError)
})

t.test('a token carries a payload of up to 4096 characters, whole', async t => {
  const server = await startTestServer(t)
  const payload = randomBytes(random, 3072).toString('base64')
  const token = await tokenOf(await server.post({ extensionType: 'abcd', extensionPayload: payload }))
  const opened = server.openToken(token)
  t.equal(opened?.keys[0]?.policy.extensionPayload?.toString('base64'), payload)
  const next = await tokenOf(await server.post())
  t.equal(next.length, 222, 'and the next one is short again')
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
  const longest = { ...tooLong, message: /the token would be longer than 8000 characters$/ }
  for (const TOKEN_STYLE of TOKEN_STYLES) {
    const styled = await startTestServer(t, { settings: { TOKEN_STYLE } })
    const lengths: number[] = []
    let characters = 400
    let answer = await styled.post({ extensionType: 'abcd', ...keysWith(characters) })
    for (; answer.status === 200; answer = await styled.post({ extensionType: 'abcd', ...keysWith(characters) })) {
      lengths.push((await tokenOf(answer)).length)
      characters += 4
    }
    t.match({ status: answer.status, ...(await errorOf(answer)) }, longest)
    const last = lengths.at(-1) ?? 0
    t.ok(last > 7900 && last <= 8000, `all that goes into a token of ${TOKEN_STYLE}: ${last} characters`)
    t.equal((await styled.post()).status, 200)
  }
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
