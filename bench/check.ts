import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageFolder } from '../src/ground/own-package.js'
import {
  type Conditions,
  comparison,
  counterpart,
  type Figures,
  hasWorsened,
  type Measurement,
  NAMES,
} from './baseline.js'

/**
 * `npm run bench:check`: fails when start, memory or main-thread time have worsened against the baseline.
 * `-- --write` renews the baseline; `-- --figures FILE` compares the figures of a file instead of measuring.
 */
const { values } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    figures: { type: 'string' },
    baseline: { type: 'string', default: join(packageFolder(), 'bench/baseline.json') },
  },
})

/** Other work on the machine makes a figure worse for a while: what stays worse has worsened. */
const ATTEMPTS = 3

if (values.write) await write()
else process.exitCode = values.figures === undefined ? await measureAndCompare() : await compareFile(values.figures)

async function write(): Promise<void> {
  const [{ median }, { conditions, measure }] = [await import('./median.js'), await measuring()]
  const attempts: Partial<Figures>[] = []
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) attempts.push(await measure(NAMES))
  const figures = NAMES.map(name => [name, Number(median(attempts.map(one => one[name] ?? Number.NaN)).toFixed(3))])
  const renewed: Measurement = { ...conditions, ...Object.fromEntries(figures) }
  const baselines = readBaselines()
  const others = baselines.filter(one => one !== counterpart(conditions, baselines))
  writeFileSync(values.baseline, `${JSON.stringify([...others, renewed], null, 2)}\n`)
  process.stdout.write(`${values.baseline}: ${JSON.stringify(renewed)}\n`)
}

async function measureAndCompare(): Promise<number> {
  const { conditions, measure } = await measuring()
  return compare(conditions, async baseline => {
    let best: Partial<Figures> = {}
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const worsened = NAMES.filter(name => hasWorsened(name, best, baseline))
      if (worsened.length === 0) break
      const again = await measure(worsened)
      const better = worsened.map(name => [
        name,
        Math.min(best[name] ?? Number.POSITIVE_INFINITY, again[name] ?? Number.NaN),
      ])
      best = { ...best, ...Object.fromEntries(better) }
    }
    return best
  })
}

function compareFile(path: string): Promise<number> {
  const given = JSON.parse(readFileSync(path, 'utf8')) as Conditions & Partial<Figures> // like a baseline
  return compare(given, async () => given)
}

/** Loads what measures, which comparing a file's figures does without. */
async function measuring() {
  const { measureFigures, runBeforeOthers } = await import('./check-figures.js')
  const { LOAD_GENERATOR } = await import('./load.js')
  runBeforeOthers()
  const conditions: Conditions = { node: Number.parseInt(process.versions.node, 10), loadGenerator: LOAD_GENERATOR }
  return { conditions, measure: measureFigures }
}

/** Prints the comparison; the result is the exit code. */
async function compare(
  conditions: Conditions,
  measure: (baseline: Figures) => Promise<Partial<Figures>>,
): Promise<number> {
  const baseline = counterpart(conditions, readBaselines())
  if (baseline === undefined) {
    const { node, loadGenerator } = conditions
    process.stdout.write(
      `There is no baseline for Node ${node} with ${loadGenerator}: npm run bench:check -- --write\n`,
    )
    return 2
  }
  const measured = await measure(baseline)
  process.stdout.write(`${comparison(measured, baseline)}\n`)
  return NAMES.some(name => hasWorsened(name, measured, baseline)) ? 1 : 0
}

function readBaselines(): readonly Measurement[] {
  return JSON.parse(readFileSync(values.baseline, 'utf8')) as Measurement[] // a file that --write has written
}
