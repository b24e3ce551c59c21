/** What the short form measures, each as a ratio to bare Fastify in the same run: less is better. */
export const FIGURES = {
  start: 'processor time from the start to the first token, SQLite',
  memory: 'resident memory after 100,000 tokens, SQLite',
  mainThread: "main thread's time per token, SQLite",
} as const

export type FigureName = keyof typeof FIGURES
export type Figures = Readonly<Record<FigureName, number>>

/** Figures, and under what they were measured: only those of the same Node and load generator can be compared. */
export type Measurement = Conditions & Figures

export interface Conditions {
  /** The major version. */
  readonly node: number
  readonly loadGenerator: string
}

/** How much worse than the baseline a figure may be. */
const ALLOWED = 0.15

export const NAMES = Object.keys(FIGURES) as readonly FigureName[] // its own keys

/** A figure that is missing has worsened too. */
export function hasWorsened(name: FigureName, measured: Partial<Figures>, baseline: Figures): boolean {
  return !((measured[name] ?? Number.NaN) <= baseline[name] * (1 + ALLOWED))
}

/** What was measured under the same. */
export function counterpart<Given extends Conditions>(
  of: Conditions,
  measurements: readonly Given[],
): Given | undefined {
  return measurements.find(one => one.node === of.node && one.loadGenerator === of.loadGenerator)
}

/** A line for each figure, and what to do when one has worsened. */
export function comparison(measured: Partial<Figures>, baseline: Figures): string {
  const lines = NAMES.map(name => {
    const { [name]: value = Number.NaN } = measured
    const change = (value / baseline[name] - 1) * 100
    const text = `${FIGURES[name]}: ${value.toFixed(2)} of bare Fastify's`
    const verdict = hasWorsened(name, measured, baseline) ? 'WORSENED' : 'ok      '
    return `${verdict} ${text}, baseline ${baseline[name].toFixed(2)} (${change < 0 ? '' : '+'}${change.toFixed(0)} %)`
  })
  const worsened = NAMES.filter(name => hasWorsened(name, measured, baseline))
  if (worsened.length === 0) return lines.join('\n')
  return [...lines, `${worsened.join(', ')}: more than ${ALLOWED * 100} % worse. ${RENEWING}`].join('\n')
}

const RENEWING =
  'If the change is worth it, renew bench/baseline.json on a machine that does nothing else: npm run bench:check -- --write'
