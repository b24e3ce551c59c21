import { z } from 'zod'
import type { Content } from '../../../schemas/catalogue.js'
import { jsonFaults } from '../../../schemas/json-faults.js'
import { webhookAnswer } from '../../../schemas/webhook.js'
import type { ReceivedAnswer } from '../../connections/sent-request.js'
import { JsonTextError, parseJson } from '../../ground/json-text.js'

/** What the customer said. */
export type Verdict = (Permission | Denial) & {
  /** For the same question; 0: for this request alone. */
  readonly holdsSeconds: number
  /** Of the answer. */
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

/** An answer that does not decide, in words of ours and names of fields: a text of the other side may hold a key. */
export class NoVerdict {
  constructor(
    readonly kind: 'wrong status' | 'not JSON' | 'wrong schema' | 'other content',
    readonly reason?: string,
  ) {}
}

const LONGEST_REASON = 200
const compiledAnswer = z.compile(webhookAnswer)

export function readVerdict(
  { status, body }: Pick<ReceivedAnswer, 'status' | 'body'>,
  { contentID, cacheSeconds }: { readonly contentID: string; readonly cacheSeconds: number },
): Verdict | NoVerdict {
  // A redirection leads to somebody else, whom nobody has told us to ask.
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

/** In one line, and with nothing in it that an eye can't see. */
function readable(reason = ''): string | undefined {
  const words = reason.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S}]+/gu, ' ').trim()
  // By characters: half of one is none.
  return (
    Array.from(words.slice(0, 2 * LONGEST_REASON))
      .slice(0, LONGEST_REASON)
      .join('')
      .trim() || undefined
  )
}
