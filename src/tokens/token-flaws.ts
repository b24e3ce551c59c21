import { NO_KID } from '../ground/drms.js'
import type { TokenFlaw } from '../ground/request-trace.js'
import type { TokenContent } from './token-content.js'
import type { SealedToken } from './vault.js'

/** The content of a token that an emulator was told to make wrong: it is answered like any other, and its redemption fails. */
export function flawedContent(content: TokenContent, flaw: TokenFlaw): TokenContent {
  switch (flaw) {
    case 'expired':
      return { ...content, expiresAt: content.issuedAt }
    case 'otherKid':
      return { ...content, keys: content.keys.map(key => ({ ...key, kid: otherKid(key.kid) })) }
    case 'unpaid':
      return { ...content, isUnpayable: true, charge: 'redemption' }
    case 'corrupt':
      return content
  }
}

/** With another character where the sealed part is. The id on its outside stays. */
export function corrupted({ id, token }: SealedToken): SealedToken {
  const at = token.length - 40
  return { id, token: `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}` }
}

/** Always the same for a KID, so that a test knows it: every digit is 15 less the one that it was. */
function otherKid(kid: string): string {
  if (kid === NO_KID) return 'f'.repeat(32)
  return [...kid].map(digit => (15 - Number.parseInt(digit, 16)).toString(16)).join('')
}
