import type { Databases } from './databases.js'
import { alternate, type Measured } from './load.js'
import { type RunningServer, startProcess, startService } from './processes.js'
import { p99Row, rateRows } from './rate-rows.js'
import { atMost, type Row } from './table.js'
import { TOKEN_PATH, tokenAnswer } from './token-request.js'

const SHORTEST_LAG_MS = 10

/** Tokens per second and the main thread's time for each, on every engine, beside servers that do nothing. */
export async function benchTokens(databases: Databases): Promise<Row[]> {
  const answer = await tokenAnswer()
  const servers = {
    'bare Fastify': await startProcess('bare.js', answer),
    'bare node:http': await startProcess('bare-http.js', answer),
    'tokens, SQLite': await startService(databases.sqlite()),
    'tokens, PostgreSQL': await startService(await databases.postgres()),
    'tokens, in memory': await startService('memory:'),
  }
  type Name = keyof typeof servers
  const targets = Object.fromEntries(
    Object.entries(servers).map(([name, server]) => [name, { ...server, url: server.url + TOKEN_PATH }]),
  ) as Record<Name, RunningServer> // the same names
  const measured = await alternate(targets)
  const lag = await loopDelay(servers['tokens, SQLite'])
  for (const server of Object.values(servers)) await server.stop()

  const bare = measured['bare Fastify']
  const names = ['tokens, SQLite', 'tokens, PostgreSQL', 'tokens, in memory'] as const
  return [
    ...rateRows(measured, { 'tokens, SQLite': 0.75, 'tokens, PostgreSQL': 0.6 }),
    ...names.map(name => timeRow(name, measured[name], bare)),
    ...names.map(name => p99Row(name, measured[name], ['bare Fastify', bare])),
    {
      what: 'event loop delay, SQLite',
      measured: `p50 ${lag.p50.toFixed(1)} ms, p99 ${lag.p99.toFixed(1)} ms`,
      target: atMost(5, lag.p99, 'ms at the p99'),
    },
  ]
}

function timeRow(name: string, { microseconds = Number.NaN }: Measured, bare: Measured): Row {
  const ratio = microseconds / (bare.microseconds ?? Number.NaN)
  const row = { what: `main thread, ${name}`, measured: `${microseconds.toFixed(0)} µs`, ratio, to: 'bare Fastify' }
  return name === 'tokens, SQLite' ? { ...row, target: atMost(1.3, ratio) } : row
}

/** Node's histogram has the interval between two looks in every value. */
async function loopDelay({ url }: RunningServer): Promise<{ p50: number; p99: number }> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const milliseconds = (name: string) => {
    const [, seconds] = new RegExp(`^nodejs_eventloop_lag_${name}_seconds (\\S+)$`, 'm').exec(metrics) ?? []
    return Number(seconds) * 1000 - SHORTEST_LAG_MS
  }
  return { p50: milliseconds('p50'), p99: milliseconds('p99') }
}
