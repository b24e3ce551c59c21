import { type Entry, type NotCovered, REFUSED, type Uncovered, type WrittenEvent } from '../store/engine.js'

/** An entry that a request waits for. */
export interface Waiting {
  readonly entry: Entry
  resolve(why: NotCovered | undefined): void
  reject(error: unknown): void
  /** Makes the error of an entry that the database was sent and may have committed. */
  readonly unanswered?: ((error: unknown) => unknown) | undefined
}

const LARGEST_GROUP = 256

/**
 * The next group, and who waits on. Of several redemptions of one token the first goes in: the next one has to see what
 * it has counted.
 */
export function nextGroup(waiting: readonly Waiting[]): { group: Waiting[]; rest: Waiting[] } {
  const group: Waiting[] = []
  const repeated: Waiting[] = []
  const redeemed = new Set<string>()
  let next = 0
  for (; next < waiting.length && group.length < LARGEST_GROUP; next += 1) {
    const one = waiting[next] as Waiting // within the bounds
    if (isRepeated(one.entry, redeemed)) repeated.push(one)
    else group.push(one)
  }
  return { group, rest: [...repeated, ...waiting.slice(next)] }
}

/** Told of each event once it is durable, as it stands in the log. */
export type EventListener = (event: WrittenEvent) => void

/**
 * Answers all of a group but those that were passed over because their service is locked: returns them. The listener
 * hears of what was written before those who wait do.
 */
export function answerGroup(
  group: readonly Waiting[],
  uncovered: readonly Uncovered[],
  listener: EventListener,
): Waiting[] {
  const reasons = new Map(uncovered.map(({ place, why }) => [place, why]))
  const locked: Waiting[] = []
  for (const [place, waiting] of group.entries()) {
    const why = reasons.get(place)
    if (why === 'locked') {
      locked.push(waiting)
      continue
    }
    const written = writtenEvent(waiting.entry, why)
    if (written !== undefined) listener(written)
    waiting.resolve(why)
  }
  return locked
}

/** Rejects a group that the database did not answer for. */
export function failGroup(group: readonly Waiting[], error: unknown): void {
  for (const { reject, unanswered } of group) reject(unanswered === undefined ? error : unanswered(error))
}

/** A reservation has no event yet, and what was not covered has one only where it is a refusal. */
function writtenEvent(entry: Entry, why: NotCovered | undefined): WrittenEvent | undefined {
  if (why === 'balance used up' || why === 'quota used up') return { ...entry, ...REFUSED }
  return why === undefined && entry.step !== 'reserve' ? entry : undefined
}

function isRepeated({ step, service_id, token_id }: Entry, redeemed: Set<string>): boolean {
  if (step !== 'redeem') return false
  const before = redeemed.size
  return redeemed.add(`${service_id} ${token_id}`).size === before
}
