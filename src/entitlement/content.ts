import type { KeyRequest } from '../../schemas/keys.js'
import type { Drm, TokenPolicy } from '../tokens/content.js'

/** What a catalogue says of one content: its keys, what a licence allows, and who may have one. */
export interface Content {
  /** A GUID in lower case. */
  readonly contentID: string
  readonly drm: Drm
  readonly keys: readonly KeyRequest[]
  readonly policy: ContentPolicy
  /** How long a token for it can be redeemed, in seconds. */
  readonly duration: number
  readonly viewers: 'everyone' | ReadonlySet<string>
  /** Nobody may have it from this moment on, in milliseconds since 1970. */
  readonly until?: number | undefined
  /** Of the devices registered under a cookie so many may have it: those that came first. */
  readonly devicesPerCookie?: number | undefined
}

/** A policy as it was read, and in the words of a token request, in which another service is asked. */
export interface ContentPolicy {
  readonly parameters: Readonly<Record<string, string>>
  /** A rental that counts from now ends so many seconds after each grant, whatever `policy` says. */
  readonly rentalSeconds?: number | undefined
  readonly policy: TokenPolicy
  /** The scheme of the licence URL, where the catalogue says one. */
  readonly useHttps?: boolean | undefined
}

/** Where contents are known from. */
export interface Contents {
  /** `contentID` is in lower case. */
  find(contentID: string): Content | undefined | Promise<Content | undefined>
}

/** The first that knows a content. A promise only where one of them needs it: most contents are in memory. */
export function firstOf(sources: readonly Contents[]): Contents {
  const findFrom = (start: number, contentID: string): Content | undefined | Promise<Content | undefined> => {
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
