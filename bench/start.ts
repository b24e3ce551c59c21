import type { Databases } from './databases.js'
import { median } from './median.js'
import { type RunningServer, runToEnd, startProcess, startService } from './processes.js'
import { atMost, type Row } from './table.js'
import { TOKEN_PATH, tokenAnswer } from './token-request.js'

const ROUNDS = 7

export interface Start {
  readonly milliseconds: number
  /** Processor time of all its threads. */
  readonly microseconds: number
}

/** From nothing to the first answer: the program on each database, and the library in a process of its own. */
export async function benchStart(databases: Databases): Promise<Row[]> {
  const answer = await tokenAnswer()
  const { http, bare, sqlite, memory, uncached } = await alternateStarts(ROUNDS, {
    http: () => startProcess('bare-http.js', answer),
    bare: () => startProcess('bare.js', answer),
    sqlite: () => startService(databases.sqlite()),
    memory: () => startService('memory:'),
    uncached: () => startService('memory:', { compilesAnew: true }),
  })
  const against = (what: string, { milliseconds, microseconds }: Start): Row => ({
    what,
    measured: `${milliseconds.toFixed(0)} ms, of the processor ${(microseconds / 1000).toFixed(0)} ms`,
    ratio: milliseconds / bare.milliseconds,
    to: 'bare Fastify',
  })
  return [
    against('start to first answer, bare node:http', http),
    against('start to first answer, bare Fastify', bare),
    ...Object.entries({ 'SQLite file': sqlite, 'in memory': memory }).map(([name, start]) => ({
      ...against(`start to first token, ${name}`, start),
      target: atMost(1.8, start.milliseconds / bare.milliseconds),
    })),
    against(
      'start to first token, in memory, without the cache of compiled code (the first of an installation)',
      uncached,
    ),
    ...(await libraryRows()),
  ]
}

/** Starts them in turn and returns the medians of each. */
export async function alternateStarts<Name extends string>(
  rounds: number,
  servers: Readonly<Record<Name, () => Promise<RunningServer>>>,
): Promise<Record<Name, Start>> {
  const all = Object.entries<() => Promise<RunningServer>>(servers).map(([name, start]) => ({
    name,
    start,
    starts: [] as Start[],
  }))
  for (let round = 0; round < rounds; round += 1)
    for (const { start, starts } of all) starts.push(await toFirstAnswer(start))
  const medians = all.map(({ name, starts }) => [
    name,
    {
      milliseconds: median(starts.map(({ milliseconds }) => milliseconds)),
      microseconds: median(starts.map(({ microseconds }) => microseconds)),
    },
  ])
  return Object.fromEntries(medians) as Record<Name, Start> // the names are those of the servers
}

async function toFirstAnswer(start: () => Promise<RunningServer>): Promise<Start> {
  const begin = performance.now()
  const server = await start()
  await (await fetch(server.url + TOKEN_PATH)).text()
  const milliseconds = performance.now() - begin
  const microseconds = server.processMicroseconds()
  await server.stop()
  return { milliseconds, microseconds }
}

/** What library-start.ts sends. */
export interface LibraryStart {
  /** `import` and the first `startServer()`. */
  readonly first: number
  /** The median of later ones in the same process. */
  readonly later: number
}

async function libraryRows(): Promise<Row[]> {
  const starts: LibraryStart[] = []
  for (let round = 0; round < ROUNDS; round += 1) starts.push((await runToEnd('library-start.js')) as LibraryStart)
  const first = median(starts.map(start => start.first))
  const later = median(starts.map(start => start.later))
  const row = (what: string, value: number, most: number): Row => ({
    what,
    measured: `${value.toFixed(0)} ms`,
    target: atMost(most, value, 'ms'),
  })
  return [
    row('library: `import` and first `startServer()`', first, 350),
    row('library: a later `startServer()` in the process', later, 40),
  ]
}
