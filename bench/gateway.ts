import { demoAccount } from '../src/accounts/demo-account.js'
import type { Databases } from './databases.js'
import { typicalLatency } from './latency.js'
import { alternate } from './load.js'
import { type RunningServer, startProcess, startService } from './processes.js'
import { p99Row, rateRows } from './rate-rows.js'
import { atMost, type Row } from './table.js'
import { TOKEN_PATH, tokenAnswer } from './token-request.js'

const PROXY = '@fastify/http-proxy'

/** The gateway beside a proxy that does nothing, in front of the same upstream that answers at once. */
export async function benchGateway(databases: Databases): Promise<Row[]> {
  const upstream = await startProcess('bare-http.js', await tokenAnswer())
  const service = {
    settings: { MODE: 'gateway', UPSTREAM_TEST_URL: upstream.url },
    accounts: [{ ...demoAccount, upstream: demoAccount.authenticators }],
    savesMemory: false,
  }
  const [proxy, sqlite, postgres] = [
    await startProcess('proxy.js', upstream.url),
    await startService(databases.sqlite(), service),
    await startService(await databases.postgres(), service),
  ]
  const measured = await alternate({
    [PROXY]: target(proxy),
    'gateway, SQLite': target(sqlite),
    'gateway, PostgreSQL': target(postgres),
  })
  const direct = await typicalLatency(upstream.url + TOKEN_PATH)
  const added = async (name: string, { url }: RunningServer): Promise<Row> => {
    const milliseconds = (await typicalLatency(url + TOKEN_PATH)) - direct
    const row = { what: `added for one caller, p50, ${name}`, measured: `${milliseconds.toFixed(2)} ms` }
    return name === PROXY ? row : { ...row, target: atMost(1, milliseconds, 'ms') }
  }
  const rows = [
    ...rateRows(measured, { 'gateway, SQLite': 1.05, 'gateway, PostgreSQL': 0.85 }),
    p99Row('gateway, SQLite', measured['gateway, SQLite'], [PROXY, measured[PROXY]]),
    await added(PROXY, proxy),
    await added('gateway, SQLite', sqlite),
    await added('gateway, PostgreSQL', postgres),
  ]
  for (const server of [proxy, sqlite, postgres, upstream]) await server.stop()
  return rows
}

function target({ url, mainThreadMicroseconds }: RunningServer) {
  return { url: url + TOKEN_PATH, mainThreadMicroseconds }
}
