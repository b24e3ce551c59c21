import autocannon from 'autocannon'

export interface Target {
  readonly name: string
  readonly url: string
  /** What is posted; without it the URL is got. */
  readonly body?: string
  /** Posted in turn, as JSON. */
  readonly bodies?: readonly string[]
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
}

export interface Measured {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
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

export async function load(
  { url, body, bodies, tls }: Omit<Target, 'name'>,
  { connections, seconds, amount }: { connections: number; seconds?: number; amount?: number },
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
  return { perSecond: result.requests.average, p50: result.latency.p50, p99: result.latency.p99 }
}

function jsonRequest(body: string) {
  return { method: 'POST' as const, headers: { 'content-type': 'application/json' }, body }
}

function medianOf(measured: readonly Measured[]): Measured {
  const median = (pick: (one: Measured) => number) =>
    measured.map(pick).sort((a, b) => a - b)[Math.floor(measured.length / 2)] ?? Number.NaN
  return { perSecond: median(one => one.perSecond), p50: median(one => one.p50), p99: median(one => one.p99) }
}
