import { messageWithCode } from '../../schemas/answers.js'
import { StatusError } from '../errors/public-error.js'
import type { Difference, GivenPattern } from './pattern.js'

/** An entry that is not what was expected, or is one too many. */
export interface Nearest<Shown> {
  readonly entry: Shown
  readonly described: string
  /** Empty where it matches. */
  readonly differs: readonly Difference[]
}

export interface Unmet {
  readonly kind: 'request' | 'event'
  readonly pattern: GivenPattern
  readonly count: number
  /** How many were wanted, in words. */
  readonly wanted: string
  readonly nearest: readonly Nearest<unknown>[]
}

/** What was expected did not come, or came too often. The message shows the nearest entries and what differs. */
export class ExpectationError extends StatusError {
  readonly count: number
  readonly nearest: readonly Nearest<unknown>[]
  readonly #kind: Unmet['kind']

  constructor(unmet: Unmet) {
    super(406, messageOf(unmet))
    this.count = unmet.count
    this.nearest = unmet.nearest
    this.#kind = unmet.kind
  }

  /** As it is answered: an error with more. */
  toJson(requestId: string): object {
    const { code, count, nearest } = this
    return {
      code,
      message: messageWithCode(code, this.message),
      requestId,
      count,
      nearest: nearest.map(({ entry, differs }) => ({ [this.#kind]: entry, differs })),
    }
  }
}

const LONGEST = 200

function messageOf({ kind, pattern, count, wanted, nearest }: Unmet): string {
  const members = Object.keys(pattern).join(', ')
  const lines = nearest.flatMap(({ described, differs }) => [
    `  ${described}`,
    ...differs.map(({ member, wanted, was }) => `    ${member}: wanted ${quoted(wanted)}, was ${quoted(was)}`),
    ...(differs.length === 0 ? ['    matches'] : []),
  ])
  const head = `Wanted ${wanted} matching ${kind}s (by ${members || 'nothing'}), and there ${count === 1 ? 'was' : 'were'} ${count}`
  return lines.length === 0 ? `${head}; there are no ${kind}s` : [`${head}. The nearest:`, ...lines].join('\n')
}

function quoted(value: unknown): string {
  const text = value === null ? 'nothing' : JSON.stringify(value)
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}
