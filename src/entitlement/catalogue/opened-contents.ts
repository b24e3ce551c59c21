import type { Content } from '../../../schemas/content-entry.js'
import type { ContentRow } from '../../store/tables.js'

/** Characters of the sealed texts; the opened contents take a few times as much memory. */
const MAX_CHARACTERS = 8 * 1024 * 1024

/** Caches opened contents until their sealed texts change. When the cache is full, the oldest contents go. */
export class OpenedContents {
  /** The oldest first. */
  readonly #entries = new Map<string, Entry>()
  #characters = 0

  find({ content_id, sealed }: ContentRow): Content | undefined {
    const entry = this.#entries.get(content_id)
    return entry?.sealed === sealed ? entry.content : undefined
  }

  add({ content_id, sealed }: ContentRow, content: Content): void {
    this.forget(content_id)
    this.#entries.set(content_id, { sealed, content })
    this.#characters += sealed.length
    for (const oldest of this.#entries.keys()) {
      if (this.#characters <= MAX_CHARACTERS) break
      this.forget(oldest)
    }
  }

  forget(contentID: string): void {
    this.#characters -= this.#entries.get(contentID)?.sealed.length ?? 0
    this.#entries.delete(contentID)
  }
}

interface Entry {
  readonly sealed: string
  readonly content: Content
}
