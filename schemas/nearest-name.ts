import { closest, distance } from 'fastest-levenshtein'

/** The name that an unknown one was probably meant to be. */
export function nearestName(unknown: string, names: readonly string[]): string | undefined {
  if (unknown.length > 40 || names.length === 0) return undefined
  return (
    names.find(name => name.toLowerCase() === unknown.toLowerCase()) ??
    [closest(unknown, names)].find(name => distance(unknown, name) <= Math.min(2, unknown.length / 3))
  )
}
