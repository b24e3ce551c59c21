import type { Measured } from './load.js'
import { atLeast, atMost, type Row } from './table.js'

/** A row for the rate of each, as a ratio to the first. */
export function rateRows(
  measured: Readonly<Record<string, Measured>>,
  targets: Readonly<Record<string, number>> = {},
): Row[] {
  const [[first, { perSecond: base }] = ['', { perSecond: Number.NaN }]] = Object.entries(measured)
  return Object.entries(measured).map(([what, { perSecond, p50, p99, microseconds }]) => {
    const time = microseconds === undefined ? '' : `, main thread ${microseconds.toFixed(0)} µs`
    const figures = { what, measured: `${perSecond.toFixed(0)} a second, p50 ${p50} ms, p99 ${p99} ms${time}` }
    if (what === first) return figures
    const [ratio, least] = [perSecond / base, targets[what]]
    return { ...figures, ratio, to: first, ...(least !== undefined && { target: atLeast(least, ratio) }) }
  })
}

/** A row for the time that one in a hundred waits longer than. */
export function p99Row(name: string, measured: Measured, [to, base]: readonly [string, Measured]): Row {
  const ratio = measured.p99 / base.p99
  return { what: `p99, ${name}`, measured: `${measured.p99} ms`, ratio, to, target: atMost(2, ratio) }
}
