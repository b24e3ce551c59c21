import { sampleParameters } from '../src/sample.js'
import type { Databases } from './databases.js'
import { alternate, type Target } from './load.js'
import { startProcess, startService } from './processes.js'
import { p99Row, rateRows } from './rate-rows.js'
import type { Row } from './table.js'
import { TOKEN_PATH } from './token-request.js'

const kids = [Buffer.from(sampleParameters.kid, 'hex').toString('base64url')]
const body = JSON.stringify({ kids, type: 'temporary' })

/** Clear Key redemptions per second on each engine, durable, beside a route that is posted the same and does nothing. */
export async function benchRedemptions(databases: Databases): Promise<Row[]> {
  const services = [await startService(databases.sqlite()), await startService(await databases.postgres())]
  const [sqlite, postgres] = await Promise.all(services.map(({ url }) => redemptionAt(url)))
  if (sqlite === undefined || postgres === undefined) throw new Error('there are two services')
  const licence = await (await fetch(sqlite.url, { method: 'POST', body })).text()
  const bare = await startProcess('bare.js', licence)
  const measured = await alternate({
    'bare Fastify, POST': { url: sqlite.url.replace(/^http:\/\/[^/]+/, bare.url), body },
    'Clear Key redemptions, SQLite': sqlite,
    'Clear Key redemptions, PostgreSQL': postgres,
  })
  for (const server of [bare, ...services]) await server.stop()
  const name = 'Clear Key redemptions, SQLite'
  const base = 'bare Fastify, POST'
  return [...rateRows(measured, { [name]: 0.65 }), p99Row(name, measured[name], [base, measured[base]])]
}

async function redemptionAt(url: string): Promise<Target> {
  const answer = await fetch(url + TOKEN_PATH)
  const { token } = (await answer.json()) as { token: string } // the documented answer
  return { url: `${url}/hms/ck/rights/?ExpressPlayToken=${token}`, body }
}
