import { demoAccount } from '../src/accounts/seeds.js'
import { sampleParameters } from '../src/sample.js'
import type { Databases } from './databases.js'
import { typicalLatency } from './latency.js'
import { alternate, load } from './load.js'
import { startProcess, startService } from './processes.js'
import { print } from './report.js'

const path = `/hms/pr/token?${new URLSearchParams(sampleParameters)}`
const MEMORY_STEPS = 5

/** The gateway beside a proxy that does nothing, in front of the same upstream that answers at once. */
export async function benchGateway({ isQuick, databases }: { isQuick: boolean; databases: Databases }): Promise<void> {
  const upstream = await startProcess('upstream.js', await tokenAnswer())
  const settings = { MODE: 'gateway', UPSTREAM_TEST_URL: upstream.url }
  const accounts = [{ ...demoAccount, upstream: demoAccount.authenticators }]
  const gateway = await startService(databases.sqlite(), { settings, accounts })
  const onPostgres = await startService(await databases.postgres(), { settings, accounts })
  const proxy = await startProcess('proxy.js', upstream.url)

  const targets = Object.entries({ proxy, gateway, postgres: onPostgres }).map(([name, { url }]) => ({
    name,
    url: url + path,
  }))
  const plan = { connections: 64, seconds: isQuick ? 2 : 5, warmUpSeconds: 3, rounds: isQuick ? 3 : 5 }
  const measured = await alternate(targets, plan)
  const bare = measured.get('proxy')
  if (bare === undefined) throw new Error('nothing was measured for the proxy')
  for (const [name, { perSecond, p50, p99 }] of measured)
    print(
      name === 'proxy' ? '@fastify/http-proxy' : `Gateway, ${name === 'gateway' ? 'SQLite' : 'PostgreSQL'}`,
      `${Math.round(perSecond)} req/s, p50 ${p50} ms, p99 ${p99} ms, ratio ${(perSecond / bare.perSecond).toFixed(2)}`,
      name === 'gateway' ? 'at least 0.90' : undefined,
    )

  const direct = await typicalLatency(upstream.url + path)
  for (const [name, { url }] of Object.entries({ proxy, gateway, postgres: onPostgres }))
    print(
      `Latency added at the p50, one caller: ${name}`,
      `${((await typicalLatency(url + path)) - direct).toFixed(2)} ms`,
      name === 'gateway' ? 'under 1 ms' : undefined,
    )

  const amount = (isQuick ? 50_000 : 500_000) / MEMORY_STEPS
  const megabytes: number[] = []
  for (let step = 0; step < MEMORY_STEPS; step += 1) {
    await load({ url: gateway.url + path }, { connections: 64, amount })
    megabytes.push(gateway.residentMegabytes())
  }
  print(`Memory after every ${amount} of ${amount * MEMORY_STEPS} requests`, `${megabytes.join(', ')} MB`, 'flat')
  for (const server of [proxy, gateway, onPostgres, upstream]) await server.stop()
}

/** What a service of ours answers. */
async function tokenAnswer(): Promise<string> {
  const service = await startService('memory:')
  const answer = await (await fetch(service.url + path)).text()
  await service.stop()
  return answer
}
