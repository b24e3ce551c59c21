import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { shownAccount } from '../../schemas/admin.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { form } from '../harness.js'
import { startService, stop } from '../ledger/service.js'
import { startWire } from '../ledger/wire.js'
import { account, LOCAL } from './gateway.js'
import { answerOf, ends, issuedBody, issues, startHostile } from './hostile.js'

const folder = 'test/upstream/certificates'
const ADMIN_TOKEN = 'only-for-administrators'

function certificate(name: string) {
  return { cert: readFileSync(`${folder}/${name}.pem`), key: readFileSync(`${folder}/${name}.key.pem`) }
}

/** A gateway that trusts the authority of the tests, which takes a process of its own. */
async function startTrusting(t: Test, upstreamUrl: string, settings: Record<string, string> = {}) {
  t.testdir({ 'accounts.json': JSON.stringify({ accounts: [account] }) })
  const service = await startService(t, {
    MODE: 'gateway',
    DATA_DIR: '',
    ACCOUNTS_FILE: 'accounts.json',
    ADMIN_TOKEN,
    UPSTREAM_TEST_URL: upstreamUrl,
    NODE_EXTRA_CA_CERTS: resolve(folder, 'authority.pem'),
    ...settings,
  })
  const { url } = service
  return {
    /** All that it logged; it ends with that. */
    endLog: async () => {
      await stop(service, 'SIGTERM')
      return service.command.output()
    },
    ask: async (cookie: string) => {
      const body = form({ customerAuthenticator: LOCAL.test, errorFormat: 'json', cookie })
      const response = await fetch(`${url}/hms/pr/token`, { method: 'POST', body })
      return { status: response.status, body: (await response.json()) as { message?: string } } // what is checked
    },
    /** How many tokens were taken from the balance and not given back. */
    paid: async () => {
      const shown = administratorOf({ url }, ADMIN_TOKEN).get(`/accounts/${account.id}`)
      return account.balance - (await bodyOf(shownAccount, shown)).services.test.balance
    },
    askLicence: async () => (await fetch(`${url}/hms/wv/rights/`, { method: 'POST', body: 'challenge' })).status,
    retries: async () => {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(/^expressplay_upstream_retries_total\{environment="test",.*\} (\d+)$/m.exec(text)?.[1] ?? 0)
    },
  }
}

/** OpenSSL speaks it only where it is told that it may. */
const OLD_TLS = {
  ...certificate('good'),
  ...({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const),
}

t.test('TLS that is wrong in any way: nothing is sent or charged, and the operator is told which', async t => {
  const upstream = await startHostile(t, issues, certificate('good'))
  const gateway = await startTrusting(t, upstream.url)
  t.equal((await gateway.ask('good')).status, 200)
  const faults = [
    ['expired', certificate('expired'), 'CERT_HAS_EXPIRED'],
    ['other-name', certificate('other-name'), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['self-signed', certificate('self-signed'), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['TLS 1.1', OLD_TLS, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'],
  ] as const
  for (const [name, shown] of faults) {
    upstream.certify(shown)
    let connections = 0
    upstream.onHandshake = () => {
      connections += 1
    }
    const { status, body } = await gateway.ask(name)
    t.equal(status, 502, name)
    t.match(body, { code: -2030, message: /the upstream cannot be reached$/ }, name)
    if (shown !== OLD_TLS) t.equal(connections, 1, `${name}: trying again would not mend it`)
  }
  t.equal(upstream.arrivals.length, 1, 'only the first was sent')
  upstream.certify(certificate('good'))
  t.equal((await gateway.ask('good again')).status, 200)
  t.equal(await gateway.paid(), 2, 'for what was issued')
  const log = await gateway.endLog()
  for (const [name, , reason] of faults) t.match(log, `"failure":"not reached","reason":"${reason}"`, name)
})

t.test('certificates are verified even where Node is told not to', async t => {
  const upstream = await startHostile(t, issues, certificate('self-signed'))
  const gateway = await startTrusting(t, upstream.url, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })
  t.equal((await gateway.ask('self-signed')).status, 502)
  t.equal(await gateway.askLicence(), 502)
  t.equal(upstream.arrivals.length, 0)
  upstream.certify(certificate('good'))
  t.equal((await gateway.ask('good')).status, 200)
})

t.test('a request that nobody waits for any more is not sent when its connection comes at last', async t => {
  const upstream = await startHostile(t, issues, certificate('good'))
  const wire = await startWire(t, upstream.url)
  const gateway = await startTrusting(t, wire.url, { UPSTREAM_CONNECTIONS: '1', UPSTREAM_TIMEOUT: '1000' })
  wire.hang()
  const late = await gateway.ask('late')
  t.equal(late.status, 504)
  t.match(late.body, { message: /the upstream was not reached in time$/ })
  wire.release()
  t.equal((await gateway.ask('next')).status, 200)
  t.equal(upstream.connections, 1, 'the connection that came late is used')
  t.same(
    upstream.arrivals.map(({ form }) => form.get('cookie')),
    ['next'],
  )
})

t.test('nothing is sent in the last tenth of its time, not even for the first time', async t => {
  const upstream = await startHostile(t, issues, certificate('good'))
  const wire = await startWire(t, upstream.url)
  const TIMEOUT = 1000
  const settings = { UPSTREAM_CONNECTIONS: '1', UPSTREAM_TIMEOUT: String(TIMEOUT) }
  const gateway = await startTrusting(t, wire.url, settings)
  wire.hang()
  const connected = new Promise<void>(resolve => {
    upstream.onHandshake = () => resolve()
  })
  const late = gateway.ask('late')
  await connected // its time has begun
  await setTimeout(TIMEOUT * 0.9)
  wire.release()
  const { status, body } = await late
  t.equal(status, 504)
  t.match(body, { message: /the upstream was not reached in time$/ })
  t.equal((await gateway.ask('next')).status, 200)
  t.equal(upstream.connections, 1, 'the connection that came late is used')
  t.same(
    upstream.arrivals.map(({ form }) => form.get('cookie')),
    ['next'],
  )
})

t.test('handshakes that break are tried again, but not each of them: an outage is not multiplied', async t => {
  // Each request needs a connection of its own.
  const behave = ends(answerOf(issuedBody(), { headers: 'connection: close\r\n' }))
  const upstream = await startHostile(t, behave, certificate('good'))
  const gateway = await startTrusting(t, upstream.url)
  let handshakes = 0
  upstream.onHandshake = socket => {
    handshakes += 1
    if (handshakes % 3 === 0) socket.destroy()
  }
  let issued = 0
  const ask = async (index: number) => {
    const { status } = await gateway.ask(`broken-${index}`)
    if (status === 200) issued += 1
    else if (status !== 502) t.fail(`${status}`)
  }
  const REQUESTS = 150
  for (let asked = 0; asked < REQUESTS; asked += 10)
    await Promise.all(Array.from({ length: 10 }, (_, i) => ask(asked + i)))
  const retries = await gateway.retries()
  t.ok(retries >= 10 && retries <= 10 + REQUESTS / 10, `${retries} were tried again`)
  t.equal(upstream.arrivals.length, issued, 'each arrived once, and was answered')
  t.ok(issued < REQUESTS, 'some were not tried again')
  t.ok(issued > REQUESTS / 2, `${issued} were issued`)
})
