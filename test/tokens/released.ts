import { readFileSync } from 'node:fs'

/** Tokens of the account 77, issued at NOON by the release that knew the style of 2015 only. */
interface Released {
  /** As TOKEN_KEYS had them. */
  readonly keys: string
  readonly tokens: readonly ReleasedToken[]
}

interface ReleasedToken {
  readonly title: string
  readonly token: string
  /** What that release read in it, with bytes in base64. */
  readonly opened: { readonly id: string }
}

const vectors = JSON.parse(readFileSync('test/vectors/tokens-2015.json', 'utf8')) as Released // ours

export const RELEASED_KEYS = vectors.keys
export const releasedTokens = vectors.tokens

export function releasedToken(title: string): ReleasedToken {
  const found = releasedTokens.find(one => one.title === title)
  if (found === undefined) throw new Error(`there is no token "${title}"`)
  return found
}
