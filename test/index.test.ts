import t from 'tap'

t.test('as a library: start, ask, stop', async t => {
  // By its name, as another project imports it: the built package with its exports.
  const { startServer, demoAccount } = await import('expressplay-token-backend')
  const server = await startServer({ now: () => Date.UTC(2030, 0, 1) })
  const parameters = new URLSearchParams({
    customerAuthenticator: demoAccount.authenticators.test,
    kid: '^my film',
    contentKey: '000102030405060708090a0b0c0d0e0f',
    rightsType: 'BuyToOwn',
    analogVideoOPL: '0',
    compressedDigitalAudioOPL: '0',
    compressedDigitalVideoOPL: '0',
    uncompressedDigitalAudioOPL: '0',
    uncompressedDigitalVideoOPL: '0',
  })
  const answer = await fetch(`${server.url}/hms/pr/token?${parameters}`)
  const { token } = (await answer.json()) as { token: string } // checked by opening it
  t.match(server.openToken(token), {
    issuedAt: Date.UTC(2030, 0, 1),
    keys: [{ contentKey: '000102030405060708090a0b0c0d0e0f' }],
  })
  await Promise.all([server.close(), server.close()])
  await t.rejects(fetch(server.url), 'it has let go of its port')
})

t.test('two servers in one process know nothing of each other', async t => {
  const { startServer, ConfigError } = await import('expressplay-token-backend')
  const [one, other] = await Promise.all([startServer(), startServer()])
  t.teardown(() => Promise.all([one.close(), other.close()]))
  t.not(one.url, other.url)
  await t.rejects(startServer({ settings: { PORT: 'x' } }), ConfigError)
})
