import type { Content } from '../../schemas/content-entry.js'
import type { MaybePromise } from '../ground/maybe-promise.js'

/** A source of contents. */
export interface Contents {
  /** `contentID` is in lower case. */
  find(contentID: string): MaybePromise<Content | undefined>
}

/** Asks the sources in order. Returns a promise only when a source does: most contents are in memory. */
export function firstOf(sources: readonly Contents[]): Contents {
  const findFrom = (start: number, contentID: string): MaybePromise<Content | undefined> => {
    for (const [index, source] of sources.entries()) {
      if (index < start) continue
      const found = source.find(contentID)
      if (found instanceof Promise) return found.then(content => content ?? findFrom(index + 1, contentID))
      if (found !== undefined) return found
    }
    return undefined
  }
  return { find: contentID => findFrom(0, contentID) }
}
