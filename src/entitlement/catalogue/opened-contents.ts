import type { Content } from '../../../schemas/catalogue.js'
import type { ContentRow } from '../../store/tables.js'

/** Of what is stored of them; what is made of it takes a few times as much. */
const MOST_CHARACTERS = 8 * 1024 * 1024

/** Contents that were opened, for as long as the same is stored of them. When there is no more room the oldest go. */
export class OpenedContents {
  /** In the order in which they came. */
  readonly #kept = new Map<string, Kept>()
  #characters = 0

  find({ content_id, sealed }: ContentRow): Content | undefined {
    const kept = this.#kept.get(content_id)
    return kept?.sealed === sealed ? kept.content : undefined
  }

  keep({ content_id, sealed }: ContentRow, content: Content): void {
    this.forget(content_id)
    this.#kept.set(content_id, { sealed, content })
    this.#characters += sealed.length
    for (const oldest of this.#kept.keys()) {
      if (this.#characters <= MOST_CHARACTERS) break
      this.forget(oldest)
    }
  }

  forget(contentID: string): void {
    this.#characters -= this.#kept.get(contentID)?.sealed.length ?? 0
    this.#kept.delete(contentID)
  }
}

interface Kept {
  readonly sealed: string
  readonly content: Content
}
