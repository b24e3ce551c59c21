/** A line of the result, with the target where there is one. */
export function print(what: string, value: string, target?: string): void {
  process.stdout.write(`${what.padEnd(52)}${value}${target === undefined ? '' : `   (target: ${target})`}\n`)
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
