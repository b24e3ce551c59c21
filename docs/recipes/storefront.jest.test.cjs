// Recipes for Jest, which needs no configuration for them: npx jest storefront.jest.test.cjs
const { demoAccount, startServer } = require('expressplay-token-backend')

const film = {
  kid: 'b366360da82e9c6e0b0984002a362cf2',
  contentKey: '00112233445566778899aabbccddeeff',
  rightsType: 'BuyToOwn',
  analogVideoOPL: 0,
  compressedDigitalAudioOPL: 0,
  compressedDigitalVideoOPL: 0,
  uncompressedDigitalAudioOPL: 0,
  uncompressedDigitalVideoOPL: 0,
}

let server

beforeAll(async () => {
  server = await startServer() // a free port, in memory: files that run side by side have a server each
})
afterAll(() => server.close())
beforeEach(() => server.reset()) // balances, clock, faults, journal and log as at the start

/** Stands for your storefront: gets a token for a viewer who presses Play. */
async function play(viewer, parameters) {
  const account = { customerAuthenticator: demoAccount.authenticators.test, errorFormat: 'json' }
  const query = new URLSearchParams({ ...account, ...film, cookie: viewer, ...parameters })
  const answer = await fetch(`${server.url}/hms/pr/token?${query}`)
  const { token, message } = await answer.json()
  if (!answer.ok) throw new Error(message)
  return token
}

/** Stands for a player: asks for a licence with a token. */
async function redeem(token) {
  const body = JSON.stringify({ kids: [Buffer.from(film.kid, 'hex').toString('base64url')] })
  const answer = await fetch(`${server.url}/hms/ck/rights/?ExpressPlayToken=${token}`, { method: 'POST', body })
  return answer.json()
}

test('my token expired', async () => {
  const token = await play('viewer-1', { expirationTime: '+60' })
  await server.clock.advance('59s')
  expect(await redeem(token)).toHaveProperty('keys')
  await server.clock.advance('2s')
  expect(await redeem(token)).toMatchObject({ code: -4010 })
})

test('the credit ran out', async () => {
  server.faults.once({ errorCode: -2019 })
  await expect(play('viewer-1')).rejects.toThrow('[-2019]')
  await expect(play('viewer-1')).resolves.toMatch(/./)
})

test('what did my code send?', async () => {
  await play('viewer-1')
  await server.requests.verify({ path: '/hms/pr/token', parameters: { cookie: /^viewer-/ }, status: 200 }, { times: 1 })
})
