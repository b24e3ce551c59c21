import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import pg from 'pg'
import t from 'tap'
import { startOwnPostgres, startPostgres } from './postgres.js'

async function query<Row extends pg.QueryResultRow>(url: string, statement: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<Row>(statement).finally(() => client.end())
  return rows
}

t.test('a database that a test gets is empty and its own', async t => {
  const server = await startPostgres(t)
  const [one, other] = await Promise.all([server.newDatabase(), server.newDatabase()])
  await query(one, 'CREATE TABLE mine (id int)')
  const tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
  t.same(await query(one, tables), [{ tablename: 'mine' }])
  t.same(await query(other, tables), [])
})

t.test('what was committed is there after a stop and a start', async t => {
  const server = await startOwnPostgres(t)
  const url = await server.newDatabase()
  await query(url, 'CREATE TABLE kept AS SELECT 7 AS id')
  await server.stop()
  await t.rejects(query(url, 'SELECT 1'), { code: 'ECONNREFUSED' })
  await server.start()
  t.same(await query(url, 'SELECT id FROM kept'), [{ id: 7 }])
})

t.test('a commit waits for the disk', async t => {
  const server = await startOwnPostgres(t)
  const url = await server.newDatabase()
  t.same(await query(url, 'SHOW fsync'), [{ fsync: 'on' }])
  t.same(await query(url, 'SHOW synchronous_commit'), [{ synchronous_commit: 'on' }])
})

t.test('the server and its data are gone after the test', async t => {
  const left = { url: '', folder: '' }
  await t.test('one that has a server', async t => {
    left.url = await (await startOwnPostgres(t)).newDatabase()
    const [shown] = await query<{ data_directory: string }>(left.url, 'SHOW data_directory')
    left.folder = dirname(shown?.data_directory ?? '')
    t.ok(existsSync(left.folder))
  })
  await t.rejects(query(left.url, 'SELECT 1'), { code: 'ECONNREFUSED' })
  t.notOk(existsSync(left.folder))
})

t.test('without a server the error says what to set', async t => {
  const remedy = /Set TEST_DATABASE_URL to a server/
  await t.rejects(startOwnPostgres(t, {}, join(t.testdirName, 'missing')), { message: remedy })
  const unreachable = await startPostgres(t, 'postgres://test@127.0.0.1:1/postgres')
  await t.rejects(unreachable.newDatabase(), { message: remedy })
})
