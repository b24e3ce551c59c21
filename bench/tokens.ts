import { fairplay } from '../src/drm/fairplay-family.js'
import { widevine } from '../src/drm/widevine-family.js'
import { sampleParameters, sampleRequest } from '../src/sample.js'
import type { Databases } from './databases.js'
import { alternate, LOAD_GENERATOR, load, type Measured } from './load.js'
import { type RunningServer, startProcess, startService } from './processes.js'
import { print } from './report.js'

const path = `/hms/pr/token?${new URLSearchParams(sampleParameters)}`
/** The other DRMs that public storefronts ask for. */
const OTHERS = [widevine, fairplay]
const SHORTEST_LAG_MS = 10

/** Tokens per second on each engine, side by side with a route that does nothing. */
export async function benchTokens({ isQuick, databases }: { isQuick: boolean; databases: Databases }): Promise<void> {
  const first = await startService(databases.sqlite())
  const answer = await (await fetch(first.url + path)).text()
  await first.stop()
  const bareStart = await medianStart(() => startProcess('bare.js', answer))
  const sqliteStart = await medianStart(() => startService(databases.sqlite()))
  const memoryStart = await medianStart(() => startService('memory:'))
  print('Start of the bare process to its first answer', `${Math.round(bareStart)} ms`)
  print('Start to first token, sqlite', startText(sqliteStart, bareStart), 'at most 1.8')
  print('Start to first token, memory', startText(memoryStart, bareStart), 'at most 1.8')

  const sqlite = await startService(databases.sqlite())
  const servers = {
    bare: await startProcess('bare.js', answer),
    sqlite,
    postgres: await startService(await databases.postgres()),
    memory: await startService('memory:'),
  }
  const targets = Object.entries(servers).map(([name, { url, mainThreadMilliseconds }]) => ({
    name,
    url: url + path,
    mainThreadMilliseconds,
  }))
  for (const family of OTHERS)
    targets.push({
      name: family.name,
      url: `${sqlite.url}${family.tokenPath}?${new URLSearchParams({ ...sampleRequest(family) })}`,
      mainThreadMilliseconds: sqlite.mainThreadMilliseconds,
    })
  const plan = { connections: 64, seconds: isQuick ? 2 : 5, warmUpSeconds: 2, rounds: isQuick ? 3 : 5 }
  const measured = await alternate(targets, plan)
  print('Load generator', LOAD_GENERATOR)
  report(measured)
  reportOthers(measured)
  print('Event loop of the service on SQLite, delay', await loopDelay(sqlite), 'at most 5 ms at the p99')

  for (const { url } of [servers.bare, sqlite]) await load({ url: url + path }, { connections: 64, amount: 100_000 })
  const bareMegabytes = servers.bare.residentMegabytes()
  const megabytes = sqlite.residentMegabytes()
  const ratio = (megabytes / bareMegabytes).toFixed(2)
  print('Memory of bare, after those and 100,000 requests', `${bareMegabytes} MB`)
  print('Memory on SQLite, after as many tokens', `${megabytes} MB, ${ratio} of bare`, 'at most 1.5 of bare')
  await load({ url: sqlite.url + path }, { connections: 64, amount: 100_000 })
  print('Memory after 100,000 more', `${sqlite.residentMegabytes()} MB`, 'the same')
  for (const server of Object.values(servers)) await server.stop()
}

/** In milliseconds, until the first request is answered: the median of five starts. */
async function medianStart(start: () => Promise<RunningServer>): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < 5; round += 1) {
    const begin = performance.now()
    const server = await start()
    await (await fetch(server.url + path)).text()
    times.push(performance.now() - begin)
    await server.stop()
  }
  return times.sort((one, other) => one - other)[2] ?? Number.NaN
}

function startText(time: number, bare: number): string {
  return `${Math.round(time)} ms, ${(time / bare).toFixed(1)} of bare`
}

function report(measured: ReadonlyMap<string, Measured>): void {
  const bare = measured.get('bare')
  if (bare === undefined) throw new Error('nothing was measured for the bare route')
  print('Bare route', describe(bare))
  for (const [name, target] of [
    ['sqlite', 'at least 0.50, p99 at most 3 times'],
    ['postgres', 'at least 0.45'],
    ['memory', 'at least 0.70'],
  ] as const) {
    const figures = measured.get(name)
    if (figures === undefined) throw new Error(`nothing was measured for ${name}`)
    print(`Token endpoint, ${name}`, describe(figures))
    const ratio = (figures.perSecond / bare.perSecond).toFixed(2)
    const time = ((figures.microseconds ?? Number.NaN) / (bare.microseconds ?? Number.NaN)).toFixed(1)
    print('  to bare', `${ratio}, p99 ${(figures.p99 / bare.p99).toFixed(1)} times, main thread ${time} times`, target)
  }
}

function reportOthers(measured: ReadonlyMap<string, Measured>): void {
  const playready = measured.get('sqlite')?.perSecond ?? Number.NaN
  for (const { name, title } of OTHERS) {
    const figures = measured.get(name)
    if (figures === undefined) throw new Error(`nothing was measured for ${name}`)
    print(`${title} tokens, sqlite`, describe(figures))
    print('  to PlayReady', (figures.perSecond / playready).toFixed(2), 'at least 0.95')
  }
}

function describe({ perSecond, p50, p99, microseconds = Number.NaN }: Measured): string {
  return `${Math.round(perSecond)} req/s, p50 ${p50} ms, p99 ${p99} ms, main thread ${microseconds.toFixed(0)} us`
}

/** Node's histogram has the interval between two looks in every value. */
async function loopDelay({ url }: RunningServer): Promise<string> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const milliseconds = (name: string) => {
    const [, seconds] = new RegExp(`^nodejs_eventloop_lag_${name}_seconds (\\S+)$`, 'm').exec(metrics) ?? []
    return (Number(seconds) * 1000 - SHORTEST_LAG_MS).toFixed(1)
  }
  return `p50 ${milliseconds('p50')} ms, p99 ${milliseconds('p99')} ms`
}
