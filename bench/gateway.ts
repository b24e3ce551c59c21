import { demoAccount } from '../src/accounts/demo-account.js'
import { sampleParameters } from '../src/sample.js'
import type { Databases } from './databases.js'
import { typicalLatency } from './latency.js'
import { alternate, load } from './load.js'
import { type RunningServer, startProcess, startService } from './processes.js'
import { print } from './report.js'

const path = `/hms/pr/token?${new URLSearchParams(sampleParameters)}`
const MEMORY_STEPS = 5

/** The gateway beside a proxy that does nothing, in front of the same upstream that answers at once. */
export async function benchGateway({ isQuick, databases }: { isQuick: boolean; databases: Databases }): Promise<void> {
  const upstream = await startProcess('upstream.js', await tokenAnswer())
  const service = {
    settings: { MODE: 'gateway', UPSTREAM_TEST_URL: upstream.url },
    accounts: [{ ...demoAccount, upstream: demoAccount.authenticators }],
  }
  const front = {
    '@fastify/http-proxy': await startProcess('proxy.js', upstream.url),
    'Gateway, SQLite': await startService(databases.sqlite(), service),
    'Gateway, PostgreSQL': await startService(await databases.postgres(), service),
  }
  await compareRates(front, isQuick)
  await compareLatencies(front, upstream)
  await watchMemory(front['Gateway, SQLite'], isQuick ? 50_000 : 500_000)
  for (const server of [...Object.values(front), upstream]) await server.stop()
}

type Front = Readonly<Record<string, RunningServer>>

async function compareRates(front: Front, isQuick: boolean): Promise<void> {
  const targets = Object.entries(front).map(([name, { url }]) => ({ name, url: url + path }))
  const plan = { connections: 64, seconds: isQuick ? 2 : 5, warmUpSeconds: 3, rounds: isQuick ? 3 : 5 }
  const measured = await alternate(targets, plan)
  const [proxy = Number.NaN] = [...measured.values()].map(({ perSecond }) => perSecond)
  for (const [name, { perSecond, p50, p99 }] of measured) {
    const ratio = (perSecond / proxy).toFixed(2)
    print(name, `${Math.round(perSecond)} req/s = ${ratio}, p50 ${p50} ms, p99 ${p99} ms`, 'at least 0.90 of the first')
  }
}

async function compareLatencies(front: Front, upstream: RunningServer): Promise<void> {
  const direct = await typicalLatency(upstream.url + path)
  for (const [name, { url }] of Object.entries(front)) {
    const added = (await typicalLatency(url + path)) - direct
    print(`${name}: added for one caller, p50`, `${added.toFixed(2)} ms`, 'under 1 ms')
  }
}

async function watchMemory(gateway: RunningServer, requests: number): Promise<void> {
  const megabytes: number[] = []
  for (let step = 0; step < MEMORY_STEPS; step += 1) {
    await load({ url: gateway.url + path }, { connections: 64, amount: requests / MEMORY_STEPS })
    megabytes.push(gateway.residentMegabytes())
  }
  print(`Memory, looked at ${MEMORY_STEPS} times in ${requests} requests`, `${megabytes.join(', ')} MB`, 'flat')
}

/** What a service of ours answers. */
async function tokenAnswer(): Promise<string> {
  const service = await startService('memory:')
  const answer = await (await fetch(service.url + path)).text()
  await service.stop()
  return answer
}
