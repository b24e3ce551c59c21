import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import autocannon from 'autocannon'
import { median } from './report.js'

const run = promisify(execFile)

/** Costs a tenth of what a load generator in JavaScript costs, so it takes less from the servers that are measured. */
const hasWrk = spawnSync('wrk', ['--version']).error === undefined
export const LOAD_GENERATOR = hasWrk ? 'wrk' : 'autocannon (wrk is not installed)'

export interface Target {
  readonly name: string
  readonly url: string
  /** What is posted; without it the URL is got. */
  readonly body?: string
  /** Posted in turn, as JSON. */
  readonly bodies?: readonly string[]
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
  /** Processor time of its main thread so far. */
  readonly mainThreadMilliseconds?: () => number
}

export interface Measured {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly requests: number
  /** Processor time of the server's main thread, where it is known; steadier than any throughput. */
  readonly microseconds?: number
}

/** Loads the targets in turn, round after round, so that a noisy machine is noisy for all of them. */
export async function alternate(targets: readonly Target[], plan: LoadPlan): Promise<Map<string, Measured>> {
  const rounds = new Map<string, Measured[]>(targets.map(({ name }) => [name, []]))
  for (const target of targets) await load(target, { ...plan, seconds: plan.warmUpSeconds })
  for (let round = 0; round < plan.rounds; round += 1)
    for (const target of targets) rounds.get(target.name)?.push(await load(target, plan))
  return new Map([...rounds].map(([name, measured]) => [name, medianOf(measured)]))
}

export interface LoadPlan {
  readonly connections: number
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly rounds: number
}

export async function load(target: Omit<Target, 'name'>, size: LoadSize): Promise<Measured> {
  const { url, body, bodies, tls, mainThreadMilliseconds } = target
  const before = mainThreadMilliseconds?.()
  const isPlain = body === undefined && bodies === undefined && tls === undefined && size.amount === undefined
  const measured = await (hasWrk && isPlain ? loadByWrk(url, size) : loadByAutocannon(target, size))
  if (before === undefined || mainThreadMilliseconds === undefined) return measured
  return { ...measured, microseconds: ((mainThreadMilliseconds() - before) * 1000) / measured.requests }
}

interface LoadSize {
  readonly connections: number
  readonly seconds?: number
  readonly amount?: number
}

async function loadByWrk(url: string, { connections, seconds = 1 }: LoadSize): Promise<Measured> {
  const { stdout } = await run('wrk', ['--latency', `-c${connections}`, '-t1', `-d${seconds}`, url])
  const figure = (pattern: RegExp) => pattern.exec(stdout)?.[1] ?? ''
  const faults = figure(/^ *(Non-2xx.*|Socket errors: (?!connect 0, read 0, write 0, timeout 0).*)$/m)
  if (faults !== '') throw new Error(`wrk says: ${faults}`)
  return {
    requests: Number(figure(/(\d+) requests in/)),
    perSecond: Number(figure(/^Requests\/sec: +([\d.]+)$/m)),
    p50: milliseconds(figure(/^ +50% +(\S+)$/m)),
    p99: milliseconds(figure(/^ +99% +(\S+)$/m)),
  }
}

function milliseconds(text: string): number {
  const [, number = '', unit = ''] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? []
  return Number(number) * ({ us: 0.001, ms: 1, s: 1000 }[unit] ?? Number.NaN)
}

async function loadByAutocannon(
  { url, body, bodies, tls }: Omit<Target, 'name'>,
  { connections, seconds, amount }: LoadSize,
): Promise<Measured> {
  const result = await autocannon({
    url,
    connections,
    ...(body === undefined ? {} : { method: 'POST' as const, body }),
    ...(bodies && { requests: bodies.map(jsonRequest) }),
    ...(tls && { tlsOptions: tls }),
    ...(amount === undefined ? { duration: seconds ?? 1 } : { amount }),
  })
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${result.non2xx} answers were refusals and ${result.errors} requests failed`)
  const { requests, latency } = result
  return { requests: requests.total, perSecond: requests.average, p50: latency.p50, p99: latency.p99 }
}

function jsonRequest(body: string) {
  return { method: 'POST' as const, headers: { 'content-type': 'application/json' }, body }
}

function medianOf(measured: readonly Measured[]): Measured {
  const microseconds = measured.flatMap(one => one.microseconds ?? [])
  return {
    requests: measured.reduce((sum, { requests }) => sum + requests, 0),
    perSecond: median(measured.map(one => one.perSecond)),
    p50: median(measured.map(one => one.p50)),
    p99: median(measured.map(one => one.p99)),
    ...(microseconds.length > 0 && { microseconds: median(microseconds) }),
  }
}
