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
  const begin = performance.now()
  const sqlite = await startService(databases.sqlite())
  const answer = await (await fetch(sqlite.url + path)).text()
  print('Start of the process to first token', `${Math.round(performance.now() - begin)} ms`, 'under 700 ms')

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

  await load({ url: sqlite.url + path }, { connections: 64, amount: 100_000 })
  print('Memory on SQLite, after those and 100,000 tokens', `${sqlite.residentMegabytes()} MB`, 'under 120 MB')
  await load({ url: sqlite.url + path }, { connections: 64, amount: 100_000 })
  print('Memory after 100,000 more', `${sqlite.residentMegabytes()} MB`, 'the same')
  for (const server of Object.values(servers)) await server.stop()
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
