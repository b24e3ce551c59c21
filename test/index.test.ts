import { fastify } from 'fastify'
import { register } from 'prom-client'
import t from 'tap'
import { application } from '../src/app.js'
import { appWith } from './app.js'
import { form } from './harness.js'

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

t.test('the application is a plugin: two in one Fastify share nothing, and leave nothing behind', async t => {
  const listeners = () => process.eventNames().map(name => [name, process.listenerCount(name)])
  const before = listeners()
  const [one, two] = [await appWith(t), await appWith(t)]
  const host = fastify()
  host.get('/', async () => 'the own page')
  for (const [prefix, { services }] of Object.entries({ '/one': one, '/two': two }))
    await host.register(application, { prefix, services })
  await host.ready()
  t.equal(host.server.listening, false)

  const token = await host.inject(`/one/hms/pr/token?${form()}`)
  t.equal(token.statusCode, 200)
  one.keepSecret(token.json<{ token: string }>().token)
  const issued = /^expressplay_tokens_issued_total\{.*\} 1$/m
  t.match((await host.inject('/one/metrics')).body, issued)
  t.notMatch((await host.inject('/two/metrics')).body, issued)
  t.match((await host.inject('/two/keystore/nope')).json(), { code: 404, message: 'Not found' })
  t.match((await host.inject({ method: 'PUT', url: '/two/healthz' })).headers, { allow: 'GET, HEAD' })
  t.equal((await host.inject('/')).body, 'the own page')
  t.match((await host.inject('/nope')).json(), { message: 'Route GET:/nope not found' })

  await host.close()
  t.same(listeners(), before)
  t.same(register.getMetricsAsArray(), [], 'in the registry of the process')
})
