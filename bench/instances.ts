import { availableParallelism } from 'node:os'
import type { Databases } from './databases.js'
import { load } from './load.js'
import { median } from './median.js'
import { PostgresProcesses } from './postgres-processes.js'
import { type RunningServer, startService } from './processes.js'
import { atLeast, type Row } from './table.js'
import { TOKEN_PATH } from './token-request.js'

const INSTANCES = 2
const ROUNDS = 4
/** The instances have the last core, PostgreSQL and the load generator the first. */
const REST = 0
const CORE = availableParallelism() - 1

interface Figures {
  readonly perSecond: number
  /** Processor time of a token in the instances, and in PostgreSQL. */
  readonly instances: number
  readonly postgres: number
}

/**
 * Tokens by processes that share one PostgreSQL. Two cores cannot show what an added one brings, so it is computed: as
 * long as cores are what tokens wait for, rates are as the processor time that a token takes, of instances and
 * PostgreSQL together.
 */
export async function benchInstances(databases: Databases): Promise<Row[]> {
  if (availableParallelism() < 2) return [{ what: 'instances on one PostgreSQL', measured: 'needs two cores' }]
  const url = await databases.postgres()
  const postgres = await PostgresProcesses.of(url)
  const [one, two] = await measureRounds(url, postgres).finally(() => postgres.end())
  const scale = (one.instances + one.postgres) / (two.instances + two.postgres)
  const row = (what: string, { perSecond, instances, postgres }: Figures) => ({
    what: `${what} on core ${CORE}, PostgreSQL and load on core ${REST}`,
    measured: `${perSecond.toFixed(0)} a second; ${instances.toFixed(0)} µs a token, PostgreSQL ${postgres.toFixed(0)} µs`,
  })
  return [
    row('1 instance', one),
    { ...row(`${INSTANCES} instances`, two), ratio: two.perSecond / one.perSecond, to: '1 instance' },
    {
      what: 'tokens per added core (computed: processor time of a token with 1 by that with 2 instances)',
      measured: `${(one.instances + one.postgres).toFixed(0)} µs by ${(two.instances + two.postgres).toFixed(0)} µs`,
      ratio: scale,
      to: '1 instance',
      target: atLeast(0.85, scale),
    },
  ]
}

/** Of one instance and of all of them, in turn. */
async function measureRounds(url: string, postgres: PostgresProcesses): Promise<[Figures, Figures]> {
  const instances: RunningServer[] = []
  for (let index = 0; index < INSTANCES; index += 1) instances.push(await startService(url, { core: CORE }))
  await postgres.pin(String(REST))
  const one = { chosen: instances.slice(0, 1), rounds: [] as Figures[] }
  const all = { chosen: instances, rounds: [] as Figures[] }
  for (const { chosen } of [one, all]) await measure(chosen, postgres, 2)
  for (let round = 0; round < ROUNDS; round += 1)
    for (const { chosen, rounds } of [one, all]) rounds.push(await measure(chosen, postgres, 2))
  await postgres.pin(`0-${CORE}`)
  for (const instance of instances) await instance.stop()
  return [mediansOf(one.rounds), mediansOf(all.rounds)]
}

async function measure(
  instances: readonly RunningServer[],
  postgres: PostgresProcesses,
  seconds: number,
): Promise<Figures> {
  const timeOfInstances = () => instances.reduce((sum, instance) => sum + instance.processMicroseconds(), 0)
  const before = { instances: timeOfInstances(), postgres: await postgres.microseconds() }
  const size = { connections: 64, seconds, core: REST } // each is loaded as one alone is
  const loads = await Promise.all(instances.map(({ url }) => load({ url: url + TOKEN_PATH }, size)))
  const tokens = loads.reduce((sum, { requests }) => sum + requests, 0)
  return {
    perSecond: loads.reduce((sum, { perSecond }) => sum + perSecond, 0),
    instances: (timeOfInstances() - before.instances) / tokens,
    postgres: ((await postgres.microseconds()) - before.postgres) / tokens,
  }
}

function mediansOf(rounds: readonly Figures[]): Figures {
  return {
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    instances: median(rounds.map(({ instances }) => instances)),
    postgres: median(rounds.map(({ postgres }) => postgres)),
  }
}
