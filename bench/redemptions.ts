import { sampleParameters } from '../src/sample.js'
import type { Databases } from './databases.js'
import { alternate } from './load.js'
import { startProcess, startService } from './processes.js'
import { print } from './report.js'

const query = new URLSearchParams(sampleParameters)

/** Clear Key redemptions per second on each engine, durable, side by side with a route that does nothing. */
export async function benchRedemptions({
  isQuick,
  databases,
}: {
  isQuick: boolean
  databases: Databases
}): Promise<void> {
  const kids = [Buffer.from(sampleParameters.kid, 'hex').toString('base64url')]
  const body = JSON.stringify({ kids, type: 'temporary' })
  const targets = []
  const servers = []
  for (const [name, database] of [
    ['SQLite', databases.sqlite()],
    ['PostgreSQL', await databases.postgres()],
  ] as const) {
    const service = await startService(database)
    const answer = await fetch(`${service.url}/hms/pr/token?${query}`)
    const { token } = (await answer.json()) as { token: string } // the documented answer
    targets.push({ name, url: `${service.url}/hms/ck/rights/?ExpressPlayToken=${token}`, body })
    servers.push(service)
  }
  const [first] = targets
  const licence = first && (await (await fetch(first.url, { method: 'POST', body })).text())
  const bare = await startProcess('bare.js', licence ?? '')
  const plan = { connections: 64, seconds: isQuick ? 2 : 5, warmUpSeconds: 2, rounds: isQuick ? 3 : 5 }
  const measured = await alternate([{ name: 'bare', url: `${bare.url}/hms/pr/token?${query}` }, ...targets], plan)
  const perSecond = (name: string) => measured.get(name)?.perSecond ?? Number.NaN
  for (const { name } of targets) {
    const ratio = (perSecond(name) / perSecond('bare')).toFixed(2)
    print(
      `Clear Key redemptions, ${name}`,
      `${Math.round(perSecond(name))} a second, ${ratio} of bare`,
      'at least 0.50',
    )
  }
  for (const server of [bare, ...servers]) await server.stop()
}
