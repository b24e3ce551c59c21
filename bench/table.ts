/** A line of the result. */
export interface Row {
  readonly what: string
  readonly measured: string
  readonly ratio?: number
  /** What the ratio is to. */
  readonly to?: string
  readonly target?: Target
}

export interface Target {
  readonly text: string
  readonly isMet: boolean
}

export function atLeast(least: number, value: number): Target {
  return { text: `at least ${least}`, isMet: value >= least }
}

export function atMost(most: number, value: number, unit = ''): Target {
  return { text: `at most ${most}${unit && ` ${unit}`}`, isMet: value <= most }
}

const HEADINGS = ['what', 'measured', 'ratio', 'to', 'target', '']

/** As Markdown has it, so that docs/performance.md can have it as it is. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ what, measured, ratio, to = '', target }) => [
    what,
    measured,
    ratio?.toFixed(2) ?? '',
    to,
    target?.text ?? '',
    verdictOf(target),
  ])
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...cells.map(row => row[column]?.length ?? 0)),
  )
  const line = (row: readonly string[]) => `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |\n`
  return [HEADINGS, widths.map(width => '-'.repeat(Math.max(3, width))), ...cells].map(line).join('')
}

function verdictOf(target: Target | undefined): string {
  if (target === undefined) return ''
  return target.isMet ? 'met' : 'missed'
}
