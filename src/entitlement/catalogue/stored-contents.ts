import { setImmediate } from 'node:timers/promises'
import type { Content, ContentEntry } from '../../../schemas/content-entry.js'
import type {
  ContentOrder,
  ContentPage,
  ContentPageQuery,
  ListedContent,
  ShownContent,
} from '../../../schemas/contents.js'
import { StatusError } from '../../errors/public-error.js'
import type { Now } from '../../ground/clock.js'
import type { Logger } from '../../ground/logger.js'
import type { ContentRepository } from '../../store/content-repository.js'
import type { ContentRow } from '../../store/tables.js'
import type { TextSeal } from '../../tokens/text-seal.js'
import type { Contents } from '../content.js'
import { OpenedContents } from './opened-contents.js'
import { contentOf } from './read-content.js'
import { listed, shown } from './shown-content.js'

/** Unreadable contents that are logged; further ones are not. */
const MAX_REPORTED = 10_000

/** The operations of an administrator. Ids are in lower case. */
export interface ContentAdministration {
  list(page: ContentPageQuery): Promise<ContentPage>
  show(contentID: string): Promise<ShownContent>
  put(order: ContentOrder): Promise<{ isNew: boolean; content: ShownContent }>
  remove(contentID: string): Promise<void>
}

/** The contents that administrators store in the database. Each is sealed, because it contains keys. */
export class StoredContents implements Contents, ContentAdministration {
  readonly #parts: StoredContentsParts
  readonly #opened = new OpenedContents()
  /** The unreadable contents that were logged. */
  readonly #reported = new Set<string>()

  constructor(parts: StoredContentsParts) {
    this.#parts = parts
  }

  /** Reads the row each time, because another instance may have changed it; only the opening is cached. */
  async find(contentID: string): Promise<Content | undefined> {
    const row = await this.#parts.repository.find(contentID)
    if (row === undefined) {
      this.#opened.forget(contentID)
      return undefined
    }
    const remembered = this.#opened.find(row)
    if (remembered !== undefined) return remembered
    const content = this.#open(row)?.content
    if (content !== undefined) this.#opened.add(row, content)
    return content
  }

  async list({ after = '', limit }: ContentPageQuery): Promise<ContentPage> {
    // One more than the limit shows whether there is another page.
    const found = await this.#parts.repository.page(after, limit + 1)
    const contents: ListedContent[] = []
    for (const row of found.slice(0, limit)) {
      contents.push(listed(row, this.#open(row)))
      // Some contents are long, and token requests must not wait for all of them.
      await setImmediate()
    }
    return { contents, next: found.length > limit ? (contents.at(-1)?.contentID ?? null) : null }
  }

  async show(contentID: string): Promise<ShownContent> {
    const row = await this.#parts.repository.find(contentID)
    if (row === undefined) refuseUnknown()
    return shown(row, this.#open(row))
  }

  async put(order: ContentOrder): Promise<{ isNew: boolean; content: ShownContent }> {
    const { repository, seal, now } = this.#parts
    const { contentID } = order.content
    const sealed = seal.seal(placeOf(contentID), JSON.stringify(order.entry))
    const row = { content_id: contentID, sealed, updated_at: now() }
    const isNew = await repository.add(row)
    if (!isNew) await repository.put(row)
    return { isNew, content: shown(row, order) }
  }

  async remove(contentID: string): Promise<void> {
    if (!(await this.#parts.repository.remove(contentID))) refuseUnknown()
  }

  #open(row: ContentRow): ContentOrder | undefined {
    const text = this.#parts.seal.open(placeOf(row.content_id), row.sealed)
    if (text === undefined) {
      this.#report(row, 'a stored content does not open: TOKEN_KEYS is without the key that it is sealed with')
      return undefined
    }
    const entry: unknown = JSON.parse(text)
    const content = contentOf(entry)
    if (!Array.isArray(content)) return { entry: entry as ContentEntry, content } // the schema has just accepted it
    this.#report(row, 'a stored content is not one that this version can read')
    return undefined
  }

  #report({ content_id }: ContentRow, message: string): void {
    if (this.#reported.has(content_id) || this.#reported.size >= MAX_REPORTED) return
    this.#reported.add(content_id)
    this.#parts.logger.warn({ contentID: content_id }, message)
  }
}

export interface StoredContentsParts {
  readonly repository: ContentRepository
  readonly seal: TextSeal
  readonly now: Now
  readonly logger: Logger
}

/** The place that a content is sealed for: it does not open in another one. */
export function placeOf(contentID: string): string {
  return `content ${contentID}`
}

function refuseUnknown(): never {
  throw new StatusError(404, 'There is no content with this id', 'contentID')
}
