import { type EntitlementAnswer, type EntitlementRequest, entitlementAnswer } from '../../../schemas/entitlement.js'
import { tokensOfUrl } from '../../../schemas/licences.js'
import { parseJson } from '../../ground/json-text.js'
import { type Denied, denied, deniedByService } from './denials.js'

/** Whether a viewer may have a key. */
export type Entitlement = Allowed | Denied

export interface Allowed {
  readonly isAllowed: true
  /** The licence URL with the token in its query, as the service wrote it. */
  readonly epTokenURL: string
}

interface HttpAnswer {
  readonly status: number
  readonly body: Buffer
}

/** Reads the decision in an answer to this request (spec: sees.md). Any doubt is a denial. */
export function decisionOf({ status, body }: HttpAnswer, request: EntitlementRequest): Entitlement {
  const answer = documented(body)
  if (answer === undefined) return isDecision(status) ? denied('notDocumented') : denied('status', String(status))
  if (answer.messageID !== request.messageID) return denied('otherMessage')
  if (answer.version > request.version) return denied('higherVersion')
  // The status does not matter: a false denial gives no key away.
  if (!answer.isAllowed) return deniedByService(answer.error, answer.errorText)
  if (status !== 200) return denied('status', String(status))
  return hasToken(answer.epTokenURL) ? { isAllowed: true, epTokenURL: answer.epTokenURL } : denied('noTokenUrl')
}

/** The service answers 400 to a request that it can't read. */
function isDecision(status: number): boolean {
  return status === 200 || status === 400
}

function documented(body: Buffer): EntitlementAnswer | undefined {
  const parsed = entitlementAnswer.safeParse(json(body))
  return parsed.success && isShort(parsed.data.error) ? parsed.data : undefined
}

/** Clients and databases store error numbers as 32-bit integers. */
function isShort(number: number): boolean {
  return (number | 0) === number
}

function hasToken(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  return PROTOCOL.test(url.protocol) && tokensOfUrl(url).some(token => token.trim() !== '')
}

/** The last two are MS3's own. */
const PROTOCOL = /^(?:https?|ms3|ms3hs):$/

function json(text: Buffer): unknown {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}
