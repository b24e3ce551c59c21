import { type Compared, differingNames, leadOf } from './matching.js'
import type { Series } from './series.js'

const MOST_NAMED = 8
const LONGEST = 60
/** Of a larger folder the rest is left out: all of it would hold up other requests. */
const MOST_COMPARED = 5000

/** What helps to mend a request that nothing recorded is like: the recording that differs least, and what is there. */
export function nearestText(series: readonly Series[], asked: Compared): string {
  const [nearest] = series
    .slice(0, MOST_COMPARED)
    .map(({ file, first }) => ({ file, recorded: first, names: differingNames(first, asked) }))
    .sort((one, other) => one.names.length - other.names.length)
  if (nearest === undefined) return 'nothing is recorded'
  const { file, recorded, names } = nearest
  const named = names.slice(0, MOST_NAMED).map(name => `${shortened(name)} ${isThere(name, recorded)}`)
  const more = names.length > MOST_NAMED ? [`and ${names.length - MOST_NAMED} more`] : []
  return `no recorded exchange is like this request; in the nearest, ${file}, ${[...named, ...more].join(', ')}`
}

function isThere(name: string, recorded: Compared): string {
  if (name === 'environment') return `is ${recorded.environment}`
  const lead = leadOf(name, recorded)
  if (lead !== undefined) return `is ${Math.round(lead / 1000)} seconds after the request`
  const value = recorded.parameters[name]
  if (value !== undefined) return `is ${JSON.stringify(shortened(String(value)))}`
  return recorded.secrets.includes(name) ? 'is given' : 'is not given'
}

function shortened(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}
