import { type EntitlementAnswer, type EntitlementRequest, entitlementAnswer } from '../../../schemas/entitlement.js'
import { TOKEN_NAME } from '../../../schemas/licences.js'
import type { ReceivedAnswer } from '../../connections/sent-request.js'
import { parseJson } from '../../ground/json-text.js'
import { type Denied, denied, deniedByService } from './denials.js'

/** Whether a viewer may have a key. */
export type Entitlement = Allowed | Denied

export interface Allowed {
  readonly isAllowed: true
  /** The licence URL with the token in its query, as the service wrote it. */
  readonly epTokenURL: string
}

/** What an answer to this request decides (spec: sees.md). In doubt it is denied. */
export function decisionOf({ status, body }: ReceivedAnswer, request: EntitlementRequest): Entitlement {
  const answer = documented(body)
  if (answer === undefined) return isDecision(status) ? denied('notDocumented') : denied('status', String(status))
  if (answer.messageID !== request.messageID) return denied('otherMessage')
  if (answer.version > request.version) return denied('higherVersion')
  // Whatever the status: nobody gains by a denial.
  if (!answer.isAllowed) return deniedByService(answer.error, answer.errorText)
  if (status !== 200) return denied('status', String(status))
  return hasToken(answer.epTokenURL) ? { isAllowed: true, epTokenURL: answer.epTokenURL } : denied('noTokenUrl')
}

/** 400 is what the service answers to what it can't read. */
function isDecision(status: number): boolean {
  return status === 200 || status === 400
}

function documented(body: Buffer): EntitlementAnswer | undefined {
  const parsed = entitlementAnswer.safeParse(json(body))
  return parsed.success && isShort(parsed.data.error) ? parsed.data : undefined
}

/** As clients and databases keep the number of an error. */
function isShort(number: number): boolean {
  return (number | 0) === number
}

function hasToken(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, searchParams } = new URL(text)
  return /^https?:$/.test(protocol) && searchParams.getAll(TOKEN_NAME).some(token => token.trim() !== '')
}

function json(text: Buffer): unknown {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}
