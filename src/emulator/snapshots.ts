import { MOST_SNAPSHOTS, type ShownSnapshot } from '../../schemas/snapshots.js'
import { StatusError } from '../errors/public-error.js'
import { type Now, rfc3339 } from '../ground/clock.js'
import type { SnapshotRepository } from '../store/snapshot-repository.js'
import type { SnapshotRow } from '../store/tables.js'
import type { RequestGate } from './request-gate.js'
import type { EmulatorPart } from './reset.js'

export interface SnapshotsParts {
  readonly gate: RequestGate
  readonly repository: SnapshotRepository
  readonly parts: readonly EmulatorPart[]
  readonly now: Now
}

/** The database as it was at a moment, by names, with the state of the parts that have one. */
export class Snapshots {
  readonly #parts: SnapshotsParts

  constructor(parts: SnapshotsParts) {
    this.#parts = parts
  }

  /** Replaces a snapshot that has this name. */
  async save(name: string): Promise<ShownSnapshot> {
    const { gate, repository, parts, now } = this.#parts
    return gate.alone(async () => {
      const states = parts.flatMap(({ name, snapshot }) => (snapshot === undefined ? [] : [[name, snapshot.save()]]))
      const saved = { name, saved_at: now(), state: JSON.stringify(Object.fromEntries(states)) }
      if (!(await repository.save(saved, MOST_SNAPSHOTS)))
        throw new StatusError(409, `name: there are ${MOST_SNAPSHOTS} snapshots already, remove one first`, 'name')
      return this.#present({ ...saved, schema: repository.schema })
    })
  }

  /** The oldest first. */
  async list(): Promise<ShownSnapshot[]> {
    return (await this.#parts.repository.list()).map(row => this.#present(row))
  }

  async restore(name: string): Promise<ShownSnapshot> {
    const { gate, repository, parts } = this.#parts
    return gate.alone(async () => {
      const found = await repository.find(name)
      if (found === undefined) throw noSnapshot()
      if (found.schema !== repository.schema)
        throw new StatusError(409, `name: its tables are those of ${found.schema}, not of ${repository.schema}`, 'name')
      await repository.restore(found)
      const states: Record<string, unknown> = JSON.parse(found.state) // as it was saved
      for (const part of parts) {
        if (part.snapshot !== undefined && part.name in states) await part.snapshot.restore(states[part.name])
        else if (part.isCache || part.snapshot !== undefined) await part.reset(undefined)
      }
      return this.#present(found)
    })
  }

  async remove(name: string): Promise<void> {
    const { gate, repository } = this.#parts
    await gate.alone(async () => {
      if (!(await repository.remove(name))) throw noSnapshot()
    })
  }

  #present({ name, saved_at, schema }: Pick<SnapshotRow, 'name' | 'saved_at' | 'schema'>): ShownSnapshot {
    return { name, savedAt: rfc3339(saved_at), restorable: schema === this.#parts.repository.schema }
  }
}

function noSnapshot(): StatusError {
  return new StatusError(404, 'There is no snapshot with this name', 'name')
}
