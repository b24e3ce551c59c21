import type { Now } from '../../schemas/rules.js'
import type { ContentRepository } from '../store/contents.js'
import type { TextSeal } from '../tokens/text-seal.js'
import type { Content, Contents } from './content.js'

/** Contents that administrators keep in the database, each sealed: its keys are in it. */
export class StoredContents implements Contents {
  readonly #parts: StoredContentsParts

  constructor(parts: StoredContentsParts) {
    this.#parts = parts
  }

  async find(_contentID: string): Promise<Content | undefined> {
    void this.#parts
    return undefined
  }
}

export interface StoredContentsParts {
  readonly repository: ContentRepository
  readonly seal: TextSeal
  readonly now: Now
}
