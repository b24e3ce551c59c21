import Database from 'libsql'
import pg from 'pg'
import { sampleParameters } from '../src/sample.js'
import { serviceId } from '../src/store/tables.js'
import type { Databases } from './databases.js'
import { median } from './median.js'
import { startService } from './processes.js'
import { atMost, type Row } from './table.js'

const { customerAuthenticator } = sampleParameters
const SERVICE = serviceId(Number.parseInt(customerAuthenticator, 10), 'test')
const MANY = 1_000_000
// RFC 3394, 4.1
const KEK = '000102030405060708090a0b0c0d0e0f'
const WRAPPED = '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5'

/** What a store of a million keys takes: of memory to list it, and of time from those who want a token meanwhile. */
export async function benchKeystore(databases: Databases): Promise<Row[]> {
  const rows: Row[] = []
  for (const [engine, newDatabase] of [
    ['SQLite', async () => databases.sqlite()],
    ['PostgreSQL', () => databases.postgres()],
  ] as const) {
    const database = await newDatabase()
    await (await startService(database)).stop() // makes the tables and the account
    await fill(database, MANY)
    for (const [name, path] of [
      ['list', '/keystore/keys?'],
      ['list with a KEK', `/keystore/keys?kek=${KEK}&`],
      ['count', '/keystore/keycount?'],
    ] as const) {
      const { seconds, megabytes, before, peak, waits } = await measure(database, path)
      const more = peak - before
      rows.push({
        what: `${name} of ${MANY.toLocaleString('en')} keys, ${engine}`,
        measured: `${seconds.toFixed(1)} s, ${megabytes.toFixed(1)} MB, tokens meanwhile ${quantiles(waits)}`,
      })
      rows.push({
        what: '  memory meanwhile',
        measured: `${before} MB, at most ${more.toFixed(1)} MB more`,
        target: atMost(50, more, 'MB more'),
      })
    }
  }
  return rows
}

async function fill(url: string, keys: number): Promise<void> {
  const insert = 'INSERT INTO keys (service_id, kid, ek, kek_id, content_id, last_update)'
  const others = (number: string) =>
    `'${WRAPPED}', '#1.afe008a381bdac03b412a92d54b92ddf', 'urn:example:film-' || ${number}, 1780000000000`
  if (url.startsWith('sqlite:')) {
    const database = new Database(url.slice('sqlite:'.length))
    database.exec(`PRAGMA synchronous = OFF; WITH RECURSIVE counted(n) AS
      (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ${keys})
      ${insert} SELECT ${SERVICE}, printf('%032x', n), ${others('n')} FROM counted`)
    return void database.close()
  }
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(
    `${insert} SELECT ${SERVICE}, lpad(to_hex(n), 32, '0'), ${others('n')} FROM generate_series(1, ${keys}) AS n`,
  )
  await client.query('VACUUM ANALYZE keys')
  await client.end()
}

/** Of a service that has just started, while it answers this path to a client that reads as fast as it can. */
async function measure(database: string, path: string) {
  const service = await startService(database)
  const token = `${service.url}/hms/pr/token?${new URLSearchParams(sampleParameters)}`
  for (let warm = 0; warm < 1000; warm += 1) await (await fetch(token)).text()

  const before = service.residentMegabytes()
  let peak = before
  const waits: number[] = []
  let isDone = false
  const watching = (async () => {
    while (!isDone) {
      const begin = performance.now()
      await (await fetch(token)).text()
      waits.push(performance.now() - begin)
      peak = Math.max(peak, service.residentMegabytes())
    }
  })()

  const begin = performance.now()
  const answer = await fetch(`${service.url}${path}${new URLSearchParams({ customerAuthenticator })}`)
  let bytes = 0
  for await (const part of answer.body ?? []) bytes += part.length
  const seconds = (performance.now() - begin) / 1000
  isDone = true
  await watching
  await service.stop()
  return { seconds, megabytes: bytes / 1e6, before, peak, waits }
}

function quantiles(waits: readonly number[]): string {
  const p99 = [...waits].sort((a, b) => a - b)[Math.floor(waits.length * 0.99)] ?? Number.NaN
  return `p50 ${median(waits).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`
}
