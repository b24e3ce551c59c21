import type { Databases } from './databases.js'
import { loadRequests } from './load.js'
import { type RunningServer, startProcess, startService } from './processes.js'
import { atMost, type Row } from './table.js'
import { TOKEN_PATH, tokenAnswer } from './token-request.js'

const TOKENS = 100_000
const MILLION = 1_000_000

/** Resident memory after tokens, against bare Fastify's after as many requests. */
export async function benchMemory(databases: Databases, { isLong }: { isLong: boolean }): Promise<Row[]> {
  const bare = await startProcess('bare.js', await tokenAnswer())
  const sqlite = await startService(databases.sqlite())
  const bareMegabytes = await megabytesAfter(TOKENS, bare)
  const megabytes = await megabytesAfter(TOKENS, sqlite)
  const end = isLong ? MILLION : 2 * TOKENS
  const laterMegabytes = await megabytesAfter(end - TOKENS, sqlite)
  await bare.stop()
  await sqlite.stop()
  const ratio = megabytes / bareMegabytes
  const growth = laterMegabytes / megabytes
  return [
    { what: 'memory after 100,000 requests, bare Fastify', measured: `${bareMegabytes} MB` },
    {
      what: 'memory after 100,000 tokens, SQLite',
      measured: `${megabytes} MB`,
      ratio,
      to: 'bare Fastify',
      target: atMost(1.5, ratio),
    },
    {
      what: `memory after ${end.toLocaleString('en')} tokens, SQLite`,
      measured: `${laterMegabytes} MB`,
      ratio: growth,
      to: 'after 100,000',
      target: atMost(1.1, growth),
    },
  ]
}

async function megabytesAfter(requests: number, server: RunningServer): Promise<number> {
  await loadRequests({ url: server.url + TOKEN_PATH }, requests)
  return server.residentMegabytes()
}
