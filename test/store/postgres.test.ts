import pg from 'pg'
import t from 'tap'
import { startServer } from '../../src/index.js'
import { startPostgres } from '../postgres.js'

t.test('a database that has not all characters is refused', async t => {
  const url = await (await startPostgres(t)).newDatabase()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const name = `${new URL(url).pathname.slice(1)}_latin1`
  await client.query(`CREATE DATABASE ${name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`)
  const settings = { DATABASE_URL: Object.assign(new URL(url), { pathname: name }).href }
  await t.rejects(startServer({ settings }), { message: /DATABASE_URL: .* must be UTF8, and is LATIN1/ })
  await client.query(`DROP DATABASE ${name} WITH (FORCE)`)
  await client.end()
})
