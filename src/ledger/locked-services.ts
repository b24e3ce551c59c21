import type { EventRepository } from '../store/event-repository.js'
import { answerGroup, type EventListener, failGroup, nextGroup, type QueuedEntry } from './group-queue.js'

/** More would only wait until they time out in the database. */
const MAX_QUEUED = 2000

/**
 * Services that another session has locked for longer than a group waits. Each has its own queue and groups
 * until one is written, so that no other service waits with it.
 */
export class LockedServices {
  readonly #events: EventRepository
  readonly #listener: EventListener
  readonly #queues = new Map<number, Queue>()

  constructor(events: EventRepository, listener: EventListener) {
    this.#events = events
    this.#listener = listener
  }

  /** Whether an entry has to wait here. */
  has({ service_id }: QueuedEntry['entry']): boolean {
    return this.#queues.size > 0 && this.#queues.has(service_id)
  }

  add(waiting: QueuedEntry): void {
    const { service_id } = waiting.entry
    const queue = this.#queues.get(service_id) ?? { waiting: [], isWorking: false }
    this.#queues.set(service_id, queue)
    if (queue.waiting.length >= MAX_QUEUED) {
      waiting.reject(new Error('too many wait for a locked service'))
      return
    }
    queue.waiting.push(waiting)
    if (queue.isWorking) return
    queue.isWorking = true
    setImmediate(() => this.#work(service_id, queue)) // with those that come together
  }

  async #work(service: number, queue: Queue): Promise<void> {
    let isLocked = true
    while (queue.waiting.length > 0) {
      const { group, rest } = nextGroup(queue.waiting)
      queue.waiting = rest
      isLocked = await this.#commit(group, queue)
    }
    queue.isWorking = false
    // A service that is still locked stays here, so that its next entry does not delay the group of others.
    if (!isLocked) this.#queues.delete(service)
  }

  /** Returns whether the service is still locked. */
  async #commit(group: readonly QueuedEntry[], queue: Queue): Promise<boolean> {
    try {
      const locked = answerGroup(
        group,
        await this.#events.commit(
          group.map(({ entry }) => entry),
          true,
        ),
        this.#listener,
      )
      for (const { reject } of locked) reject(new Error('another session has locked the service'))
      return locked.length > 0
    } catch (error) {
      failGroup(group, error)
      for (const { reject } of queue.waiting.splice(0)) reject(error)
      return false
    }
  }
}

interface Queue {
  waiting: QueuedEntry[]
  isWorking: boolean
}
