import { sampleParameters } from '../src/sample.js'
import type { Databases } from './databases.js'
import { EVENTS_PER_COOKIE, timeOf } from './fill-events.js'
import { median } from './median.js'
import { runToEnd, startService } from './processes.js'
import { atMost, type Row } from './table.js'

const { customerAuthenticator } = sampleParameters
const FEW = 10_000
const MANY = 10_000_000
const QUESTIONS = 400

/** The time of a look-up in a long log against the same one in a short log. */
export async function benchLookUps(databases: Databases): Promise<Row[]> {
  const rows: Row[] = []
  for (const [engine, newDatabase] of [
    ['SQLite', async () => databases.sqlite()],
    ['PostgreSQL', () => databases.postgres()],
  ] as const) {
    const [few, lots] = [await newDatabase(), await newDatabase()]
    const times = await timesOf([
      { url: few, events: FEW },
      { url: lots, events: MANY },
    ])
    for (const [name, [short = Number.NaN, long = Number.NaN]] of times)
      rows.push({
        what: `look-up ${name}, ${MANY.toLocaleString('en')} events, ${engine}`,
        measured: `${long.toFixed(2)} ms`,
        ratio: long / short,
        to: `${short.toFixed(2)} ms with ${FEW.toLocaleString('en')}`,
        target: atMost(1.5, long / short),
      })
  }
  return rows
}

interface Log {
  readonly url: string
  readonly events: number
}

/** The median time of each kind of look-up, in each of the logs, asked in turn. */
async function timesOf(logs: readonly Log[]): Promise<Map<string, number[]>> {
  const servers = []
  for (const { url, events } of logs) {
    await (await startService(url)).stop() // makes the tables and the account
    await runToEnd('fill-events.js', url, String(events))
    servers.push({ ...(await startService(url)), events })
  }
  const times = new Map<string, number[]>()
  for (const [name, questionFor] of Object.entries(questions)) {
    const taken = servers.map((): number[] => [])
    for (let index = 0; index < QUESTIONS; index += 1)
      for (const [place, { url, events }] of servers.entries()) {
        const query = new URLSearchParams({ customerAuthenticator, ...questionFor(randomUpTo(events)) })
        const begin = performance.now()
        const answer = await fetch(`${url}/cmiapi/getrecord/?${query}`)
        await answer.text()
        taken[place]?.push(performance.now() - begin)
      }
    times.set(name, taken.map(median))
  }
  for (const server of servers) await server.stop()
  return times
}

const questions: Record<string, (event: number) => Record<string, string>> = {
  'of the newest 32': () => ({}),
  'by cookie': event => ({ cookie: `viewer-${Math.floor(event / EVENTS_PER_COOKIE)}` }),
  'by id': event => ({ id: String(event) }),
  'by time': event => ({ from: new Date(timeOf(event)).toISOString(), limit: '32' }),
  'by the page after': event => ({ from: new Date(timeOf(1)).toISOString(), after: String(event), limit: '32' }),
  'by window': event => ({ start: String(event - 1), length: '32' }),
}

function randomUpTo(most: number): number {
  return 1 + Math.floor(Math.random() * most)
}
