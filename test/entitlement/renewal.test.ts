import { X509Certificate } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { copyFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { authorityChain } from './authority-chain.js'
import { TestAuthority, type TestCertificate } from './certificates.js'
import { type AskedAnswer, type Asker, ask, logged, startMutualTls, until, WARN } from './mutual-tls.js'

t.test('certificates are renewed under load without one failed request', async t => {
  const service = await startMutualTls(t)
  const { server, url, authority, files } = service
  const nextAuthority = await TestAuthority.create('Next authority')
  const trusted = `${authority.cert}${nextAuthority.cert}`
  const client = await authority.issue()
  const nextClient = await nextAuthority.issue()

  const load = new Load(url)
  const kept = { ca: trusted, agent: new Agent({ keepAlive: true, maxSockets: 4 }) }
  t.teardown(() => kept.agent.destroy())
  for (let count = 0; count < 4; count += 1) load.ask({ ...kept, ...client })
  load.ask({ ca: trusted, ...client })
  await load.answered(25)

  // The server's own, of another authority.
  const own = await nextAuthority.issue({ subject: 'CN=renewed', usage: 'server' })
  writeFileSync(files.cert, own.cert)
  writeFileSync(files.key, own.key)
  server.keepSecret(own.key)
  const [told] = await logged(server, 'server certificate renewed')
  t.match(told, { level: 30, subject: 'CN=renewed', ...identity(own) })
  t.equal(await presented(url, client, trusted), 'CN=renewed')
  await load.answered(25)

  // The authority of the clients: for a while both, as an operator does it.
  writeFileSync(files.ca, trusted)
  await logged(server, 'client authorities renewed')
  load.ask({ ca: trusted, ...nextClient })
  load.ask({ ca: trusted, agent: new Agent({ keepAlive: true }), ...nextClient })
  await load.answered(25)
  t.match(await ask(url, { ca: trusted, ...client }), { status: 200 })

  await load.stop()
  t.same(load.failures, [])
  t.same(await logged(server, 'client refused', 0), [])
})

t.test('a client of an authority that was taken away has one answer left', async t => {
  const { server, url, authority, files } = await startMutualTls(t)
  const client = await authority.issue()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  t.match(await ask(url, { ca: authority.cert, ...client, agent }), { status: 200, connection: 'keep-alive' })

  const nextAuthority = await TestAuthority.create('Next authority')
  writeFileSync(files.ca, nextAuthority.cert)
  const [told] = await logged(server, 'client authorities renewed')
  const { serial, notAfter } = identity(nextAuthority)
  t.match(told, { level: 30, count: 1, authorities: [{ subject: 'CN=Next authority', serial, notAfter }] })
  t.match(await ask(url, { ca: authority.cert, ...client, agent }), { status: 200, connection: 'close' })
  await t.rejects(ask(url, { ca: authority.cert, ...client, agent }), { code: 'ECONNRESET' })
  t.match(await logged(server, 'client refused'), [{ reason: 'unknown authority' }])
  t.match(await ask(url, { ca: authority.cert, ...(await nextAuthority.issue()) }), { status: 200 })
})

t.test('a handshake that takes until its authority is taken away ends in one answer, too', async t => {
  const { server, url, authority, files } = await startMutualTls(t)
  const client = await authority.issue()
  const slow = await slowed(t, Number(new URL(url).port))
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const answer = ask(slow.url, { ca: authority.cert, ...client, agent })
  await slow.begun
  writeFileSync(files.ca, (await TestAuthority.create('Next authority')).cert)
  await logged(server, 'client authorities renewed')
  slow.goOn()
  t.match(await answer, { status: 200, connection: 'close' })
})

t.test('a client whose certificate has expired meanwhile has to come again', async t => {
  let later = 0
  const { url, authority } = await startMutualTls(t, { now: () => Date.now() + later })
  const client = await authority.issue()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  t.match(await ask(url, { ca: authority.cert, ...client, agent }), { connection: 'keep-alive' })
  later = 25 * 3_600_000
  t.match(await ask(url, { ca: authority.cert, ...client, agent }), { status: 200, connection: 'close' })
})

t.test('files that do not fit together leave the old ones in force, and are tried again', async t => {
  const { server, url, authority, files } = await startMutualTls(t)
  const client = await authority.issue()
  const own = await authority.issue({ subject: 'CN=renewed', usage: 'server' })
  server.keepSecret(own.key)
  const refused = 'new certificates are of no use, the old ones stay'

  writeFileSync(files.cert, own.cert)
  const setting = 'ENTITLEMENT_TLS_KEY'
  t.match(await logged(server, refused), [{ level: WARN, setting, code: 'KEY_DOES_NOT_FIT' }])
  t.equal(await presented(url, client, authority.cert), 'CN=entitlement')
  rmSync(files.key)
  t.match((await logged(server, refused, 2)).at(-1), { setting, code: 'ENOENT' })
  t.match(await ask(url, { ca: authority.cert, ...client }), { status: 200 })

  writeFileSync(files.key, own.key)
  await logged(server, 'server certificate renewed')
  t.equal(await presented(url, client, authority.cert), 'CN=renewed')

  writeFileSync(files.ca, '')
  const told = { setting: 'ENTITLEMENT_CLIENT_CA', code: 'NO_CERTIFICATE' }
  t.match((await logged(server, refused, 3)).slice(2), [told], 'once for each fault')
  t.match(await ask(url, { ca: authority.cert, ...client }), { status: 200 })
})

t.test('a secret that is mounted changes behind a link', async t => {
  const { server, url, authority, files } = await startMutualTls(t)
  const own = await authority.issue({ subject: 'CN=renewed', usage: 'server', notAfter: new Date(Date.now() + 1e9) })
  server.keepSecret(own.key)
  for (const [file, text] of [
    [files.cert, own.cert],
    [files.key, own.key],
  ] as const) {
    writeFileSync(`${file}.2`, text)
    symlinkSync(`${file}.2`, `${file}.link`)
    renameSync(`${file}.link`, file)
  }
  await logged(server, 'server certificate renewed')
  t.equal(await presented(url, await authority.issue(), authority.cert), 'CN=renewed')
  t.match(await logged(server, 'server certificate ends soon', 2), { length: 2 }, 'at the start and now')
})

t.test('files that are written again with the same content are not told of', async t => {
  const { server, authority, files } = await startMutualTls(t)
  copyFileSync(files.cert, `${files.cert}.2`)
  renameSync(`${files.cert}.2`, files.cert)
  // Only what comes after it shows that it was seen.
  const next = await TestAuthority.create()
  writeFileSync(files.ca, `${authority.cert}${next.cert}`)
  await logged(server, 'client authorities renewed')
  t.same(await logged(server, 'server certificate renewed', 0), [])
})

function identity({ cert }: Pick<TestCertificate, 'cert'>) {
  const { serialNumber, validTo } = new X509Certificate(cert)
  return { serial: serialNumber, notAfter: new Date(validTo).toISOString() }
}

/** The subject of the certificate that a new connection is shown. */
async function presented(url: string, client: TestCertificate, ca: string): Promise<string | undefined> {
  const socket = connect({ port: Number(new URL(url).port), ca, ...client })
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  const { subject } = socket.getPeerX509Certificate() ?? {}
  socket.destroy()
  return subject
}

/** Clients that ask one question after the other. */
class Load {
  readonly failures: unknown[] = []
  readonly #url: string
  readonly #clients: Promise<void>[] = []
  #answers = 0
  #isStopping = false

  constructor(url: string) {
    this.#url = url
  }

  ask(asker: Asker): void {
    this.#clients.push(this.#askOn(asker))
  }

  async #askOn(asker: Asker): Promise<void> {
    while (!this.#isStopping) {
      const answer = await ask(this.#url, asker).catch((error: unknown) => error)
      if (isAnswer(answer) && answer.status === 200) this.#answers += 1
      else this.failures.push(answer)
    }
  }

  /** So many more than now. */
  async answered(count: number): Promise<void> {
    const end = this.#answers + count
    await until(() => this.#answers >= end || this.failures.length > 0)
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#clients)
  }
}

function isAnswer(answer: unknown): answer is AskedAnswer {
  return typeof answer === 'object' && answer !== null && 'status' in answer
}

/** A way to the server on which a client gets no further than its first message before it may go on. */
async function slowed(t: Test, port: number) {
  const pace = new EventEmitter()
  const begun = once(pace, 'begun')
  const relay = createServer(client => {
    const server = connectTcp(port, '127.0.0.1')
    server.once('data', () => pace.emit('begun'))
    server.pipe(client)
    client.once('data', hello => {
      server.write(hello)
      client.pause()
      pace.once('go on', () => client.pipe(server))
    })
    for (const socket of [client, server]) socket.on('error', () => {})
  })
  await once(relay.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => void relay.close())
  const { port: relayPort } = relay.address() as AddressInfo // of a TCP server
  return { url: `https://127.0.0.1:${relayPort}`, begun, goOn: () => pace.emit('go on') }
}

const HOUR_MS = 3_600_000
const around = () => ({ notBefore: new Date(Date.now() - HOUR_MS), notAfter: new Date(Date.now() + 24 * HOUR_MS) })

t.test('a client of an intermediate gets in only while that one is listed, whatever chain it brings along', async t => {
  const { server, url, authority, files } = await startMutualTls(t)
  const { root, intermediate, client } = await authorityChain(around())
  const withChain = { ca: authority.cert, cert: client.cert + intermediate, key: client.key }
  writeFileSync(files.ca, root + intermediate)
  await logged(server, 'client authorities renewed')
  t.match(await ask(url, withChain), { status: 200 })
  t.match(await ask(url, { ...withChain, cert: client.cert }), { status: 200 }, 'without the chain')

  writeFileSync(files.ca, root)
  await logged(server, 'client authorities renewed', 2)
  await t.rejects(ask(url, withChain), { code: 'ECONNRESET' })
  t.match(await logged(server, 'client refused'), [{ reason: 'unknown authority', subject: undefined }])
})

t.test('a connection has one answer left when any certificate of its chain has ended', async t => {
  const soon = new Date(Date.now() + 2 * HOUR_MS)
  for (const end of [{ rootNotAfter: soon }, { intermediateNotAfter: soon }]) {
    let later = 0
    const { server, url, authority, files } = await startMutualTls(t, { now: () => Date.now() + later })
    const { root, intermediate, client } = await authorityChain({ ...around(), ...end })
    writeFileSync(files.ca, root + intermediate)
    await logged(server, 'client authorities renewed')
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.teardown(() => agent.destroy())
    t.match(await ask(url, { ca: authority.cert, ...client, agent }), { status: 200, connection: 'keep-alive' })
    later = 3 * HOUR_MS
    t.match(await ask(url, { ca: authority.cert, ...client, agent }), { status: 200, connection: 'close' })
  }
})
