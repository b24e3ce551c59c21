import type { Families } from '../drm/families.js'
import { decodeContent, type TokenContent } from './content.js'
import type { TokenVault } from './vault.js'

/** A token of ours, opened. */
export interface ReadToken extends TokenContent {
  readonly id: string
  readonly customerId: number
}

/** What a token says; `undefined` when this vault did not seal it. */
export function openToken(vault: TokenVault, families: Families, token: string): ReadToken | undefined {
  const opened = vault.open(token)
  if (opened === undefined) return undefined
  return { id: opened.id, customerId: opened.customerId, ...decodeContent(opened.content, families) }
}
