import autocannon from 'autocannon'
import { median } from './median.js'
import { loadByWrk, usesWrk } from './wrk.js'

export const LOAD_GENERATOR = usesWrk ? 'wrk' : 'autocannon'

export interface Target {
  readonly url: string
  /** What is posted, as JSON; without it the URL is got. */
  readonly body?: string
  /** Posted in turn, as JSON. */
  readonly bodies?: readonly string[]
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
  /** Processor time of the server's main thread so far. */
  readonly mainThreadMicroseconds?: () => number
}

export interface Measured {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly requests: number
  /** Processor time of the server's main thread for each request, where it is known; steadier than any throughput. */
  readonly microseconds?: number
}

export interface LoadSize {
  readonly connections: number
  readonly seconds: number
  /** The core that the load generator keeps to. */
  readonly core?: number
}

export interface LoadPlan extends LoadSize {
  readonly warmUpSeconds: number
  readonly rounds: number
}

/**
 * What the benchmark's targets are for. A slice is long enough that its first requests, which wait until all connections
 * are open, do not decide the p99; in memory they still do (docs/performance.md).
 */
export const PLAN: LoadPlan = { connections: 64, seconds: 2, warmUpSeconds: 2, rounds: 3 }

/** Loads the targets in turn, round after round, so that a noisy machine is noisy for all of them. */
export async function alternate<Name extends string>(
  targets: Readonly<Record<Name, Target>>,
  plan: LoadPlan = PLAN,
): Promise<Record<Name, Measured>> {
  const all = Object.entries<Target>(targets).map(([name, target]) => ({ name, target, rounds: [] as Measured[] }))
  for (const { target } of all) await load(target, { ...plan, seconds: plan.warmUpSeconds })
  for (let round = 0; round < plan.rounds; round += 1)
    for (const { target, rounds } of all) rounds.push(await load(target, plan))
  const medians = all.map(({ name, rounds }) => [name, medianOf(rounds)])
  return Object.fromEntries(medians) as Record<Name, Measured> // the names are those of the targets
}

export async function load(target: Target, size: LoadSize): Promise<Measured> {
  const { bodies, tls, mainThreadMicroseconds } = target
  const before = mainThreadMicroseconds?.()
  const canWrk = usesWrk && bodies === undefined && tls === undefined
  const measured = await (canWrk ? loadByWrk(target, size) : loadByAutocannon(target, size))
  if (before === undefined || mainThreadMicroseconds === undefined) return measured
  return { ...measured, microseconds: (mainThreadMicroseconds() - before) / measured.requests }
}

/** Loads it until it has had at least this many requests. */
export async function loadRequests(target: Target, requests: number): Promise<void> {
  let left = requests
  while (left > 0) left -= (await load(target, { connections: 64, seconds: 1 })).requests
}

async function loadByAutocannon(
  { url, body, bodies, tls }: Target,
  { connections, seconds }: LoadSize,
): Promise<Measured> {
  const posted = bodies ?? (body === undefined ? undefined : [body])
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    ...(posted && { requests: posted.map(jsonRequest) }),
    ...(tls && { tlsOptions: tls }),
  })
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${result.non2xx} answers were refusals and ${result.errors} requests failed`)
  const { requests, latency } = result
  return { requests: requests.total, perSecond: requests.average, p50: latency.p50, p99: latency.p99 }
}

function jsonRequest(body: string) {
  return { method: 'POST' as const, headers: { 'content-type': 'application/json' }, body }
}

function medianOf(rounds: readonly Measured[]): Measured {
  const microseconds = rounds.flatMap(one => one.microseconds ?? [])
  return {
    requests: rounds.reduce((sum, { requests }) => sum + requests, 0),
    perSecond: median(rounds.map(one => one.perSecond)),
    p50: median(rounds.map(one => one.p50)),
    p99: median(rounds.map(one => one.p99)),
    ...(microseconds.length > 0 && { microseconds: median(microseconds) }),
  }
}
