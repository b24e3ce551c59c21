import { type Entry, type NotCovered, REFUSED, type Uncovered, type WrittenEvent } from '../store/engine.js'

/** An entry that waits for a commit, and the request that waits for it. */
export interface QueuedEntry {
  readonly entry: Entry
  resolve(why: NotCovered | undefined): void
  reject(error: unknown): void
  /** Makes the error of an entry that the database was sent and may have committed. */
  readonly unanswered?: ((error: unknown) => unknown) | undefined
}

const MAX_GROUP = 256

/**
 * The next group, and the rest of the queue. Of several redemptions of one token only the first joins: the next one has to
 * see its count.
 */
export function nextGroup(waiting: readonly QueuedEntry[]): { group: QueuedEntry[]; rest: QueuedEntry[] } {
  const group: QueuedEntry[] = []
  const repeated: QueuedEntry[] = []
  const redeemed = new Set<string>()
  let next = 0
  for (; next < waiting.length && group.length < MAX_GROUP; next += 1) {
    const one = waiting[next] as QueuedEntry // within the bounds
    if (isRepeated(one.entry, redeemed)) repeated.push(one)
    else group.push(one)
  }
  return { group, rest: [...repeated, ...waiting.slice(next)] }
}

/** Called with each event once it is durable, as it is in the log. */
export type EventListener = (event: WrittenEvent) => void

/**
 * Resolves the entries of a group, and returns those that were skipped because their service is locked. The listener is
 * called before the waiting requests continue.
 */
export function answerGroup(
  group: readonly QueuedEntry[],
  uncovered: readonly Uncovered[],
  listener: EventListener,
): QueuedEntry[] {
  const reasons = new Map(uncovered.map(({ place, why }) => [place, why]))
  const locked: QueuedEntry[] = []
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
export function failGroup(group: readonly QueuedEntry[], error: unknown): void {
  for (const { reject, unanswered } of group) reject(unanswered === undefined ? error : unanswered(error))
}

/** A reservation has no event yet, and of what was not covered only a refused token has one. */
function writtenEvent(entry: Entry, why: NotCovered | undefined): WrittenEvent | undefined {
  if (why === undefined) return entry.step === 'reserve' ? undefined : entry
  const isRefusedToken = entry.step !== 'redeem' && (why === 'balance used up' || why === 'quota used up')
  return isRefusedToken ? { ...entry, ...REFUSED } : undefined
}

function isRepeated({ step, service_id, token_id }: Entry, redeemed: Set<string>): boolean {
  if (step !== 'redeem') return false
  const before = redeemed.size
  return redeemed.add(`${service_id} ${token_id}`).size === before
}
