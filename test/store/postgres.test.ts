import pg from 'pg'
import t, { type Test } from 'tap'
import { startServer } from '../../src/index.js'
import { openStore } from '../../src/store/store.js'
import { administratorOf } from '../administrator.js'
import { startTestServer } from '../harness.js'
import { startPostgres } from '../postgres.js'
import { startTransactionPooler } from './transaction-pooler.js'

const server = await startPostgres(t)

async function connectedTo(t: Test, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(() => client.end())
  return client
}

t.test('a database that has not all characters is refused', async t => {
  const url = await server.newDatabase()
  const client = await connectedTo(t, url)
  const name = `${new URL(url).pathname.slice(1)}_latin1`
  await client.query(`CREATE DATABASE ${name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`)
  const settings = { DATABASE_URL: Object.assign(new URL(url), { pathname: name }).href }
  await t.rejects(startServer({ settings }), { message: /DATABASE_URL: .* must be UTF8, and is LATIN1/ })
  await client.query(`DROP DATABASE ${name} WITH (FORCE)`)
})

t.test('a read-only database is not ready, and its connections are let go', async t => {
  const url = await server.newDatabase()
  const name = new URL(url).pathname.slice(1)
  const running = await startTestServer(t, { settings: { DATABASE_URL: url } })
  const readiness = async () => (await fetch(`${running.url}/readyz`)).json()
  t.same(await readiness(), { status: 'ready' })

  const client = await connectedTo(t, url)
  await client.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`)
  await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> $2', [
    name,
    (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid,
  ])
  // Connections that ended break what is asked over them first.
  while (!JSON.stringify(await readiness()).includes('read-only')) t.pass('the connections are being made anew')
  t.equal((await fetch(`${running.url}/readyz`)).status, 503)
  t.equal((await running.get()).status, 503)
  const change = () => administratorOf(running).patch('/accounts/201722', { name: 'changed' })
  t.not((await change()).status, 200)

  await client.query(`ALTER DATABASE ${name} RESET default_transaction_read_only`)
  // A refused write has let go of the connections that were read-only, so the next ones lead to what can be written.
  t.equal((await change()).status, 200)
  t.equal((await running.get()).status, 200)
  t.same(await readiness(), { status: 'ready' })
})

t.test('after a group that failed it is not ready until a write works', async t => {
  const url = await server.newDatabase()
  const running = await startTestServer(t, { settings: { DATABASE_URL: url } })
  const readiness = () => fetch(`${running.url}/readyz`)
  const client = await connectedTo(t, url)
  await client.query('ALTER TABLE events RENAME TO elsewhere')
  t.equal((await running.get()).status, 503)
  t.equal((await readiness()).status, 503)
  t.same(await (await readiness()).json(), { status: 'the database cannot be written to' })
  await client.query('ALTER TABLE elsewhere RENAME TO events')
  t.equal((await readiness()).status, 200, 'nobody had to ask for a token')
  t.equal((await running.get()).status, 200)
})

t.test('what an operator should know of PostgreSQL is said at the start', async t => {
  const url = await server.newDatabase()
  const warningsOf = async (url: string) => {
    const store = await openStore(url)
    await store.close()
    return store.warnings.filter(warning => !warning.includes('fsync'))
  }
  t.same(await warningsOf(url), [])
  const pooled = await startTransactionPooler(t, url)
  t.match(await warningsOf(pooled), [/PgBouncer with pool_mode=transaction/, /not in force \(lock_timeout/])

  const client = await connectedTo(t, url)
  await client.query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET synchronous_commit = off`)
  t.match(await warningsOf(url), [/synchronous_commit=off/])
  const { log } = await startTestServer(t, { settings: { DATABASE_URL: url } })
  t.match(log.join(''), /"level":40,[^\n]*synchronous_commit=off/)
})
