import * as z from 'zod'
import type { Content } from '../../../schemas/content-entry.js'
import { jsonFaults } from '../../../schemas/json-faults.js'
import { webhookAnswer } from '../../../schemas/webhook.js'
import type { ReceivedAnswer } from '../../connections/sent-request.js'
import { JsonTextError, parseJson } from '../../ground/json-text.js'

/** What the customer's endpoint said. */
export type Verdict = (Permission | Denial) & {
  /** How long the verdict is valid for the same question; 0: for this request only. */
  readonly holdsSeconds: number
  /** The size of the answer. */
  readonly bytes: number
}

interface Permission {
  readonly isAllowed: true
  readonly content: Content | undefined
}

interface Denial {
  readonly isAllowed: false
  readonly reason: string | undefined
}

/** An answer that decides nothing. The reason has only our words and field names: the answer may contain a key. */
export class NoVerdict {
  constructor(
    readonly kind: 'wrong status' | 'not JSON' | 'wrong schema' | 'other content',
    readonly reason?: string,
  ) {}
}

const MAX_REASON = 200
const compiledAnswer = z.compile(webhookAnswer)

export function readVerdict(
  { status, body }: Pick<ReceivedAnswer, 'status' | 'body'>,
  { contentID, cacheSeconds }: { readonly contentID: string; readonly cacheSeconds: number },
): Verdict | NoVerdict {
  // A redirect leads to another host, which the operator has not configured.
  if (status !== 200) return new NoVerdict('wrong status', `HTTP_${status}`)
  const json = jsonIn(body)
  if (json instanceof NoVerdict) return json
  const read = compiledAnswer.safeParse(json)
  if (!read.success) return new NoVerdict('wrong schema', jsonFaults(read.error)[0]?.field || 'the body')
  const { isAllowed, reason, content, cacheSeconds: holdsSeconds = cacheSeconds } = read.data
  if (content !== undefined && content.contentID !== contentID) return new NoVerdict('other content')
  const held = { holdsSeconds, bytes: body.length }
  return isAllowed ? { isAllowed, content, ...held } : { isAllowed, reason: readable(reason), ...held }
}

function jsonIn(body: Buffer): unknown {
  try {
    return parseJson(body)
  } catch (error) {
    if (error instanceof JsonTextError) return new NoVerdict('not JSON', error.fault)
    throw error
  }
}

/** One line without invisible characters. */
function readable(reason = ''): string | undefined {
  const words = reason.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S}]+/gu, ' ').trim()
  // Cut by characters, not by UTF-16 units: half of a surrogate pair is no character.
  return (
    Array.from(words.slice(0, 2 * MAX_REASON))
      .slice(0, MAX_REASON)
      .join('')
      .trim() || undefined
  )
}
