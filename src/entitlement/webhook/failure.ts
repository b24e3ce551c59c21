import { errors } from 'undici'
import { errorWord } from '../../connections/error-word.js'
import type { LostExchange } from '../../connections/exchange.js'
import type { NoTurn } from '../../connections/waiting-line.js'

/** How asking the webhook can fail. */
export type WebhookFailureKind =
  | 'too many questions'
  | 'not reached'
  | 'timed out'
  | 'connection lost'
  | 'no answer'
  | 'too large'
  | 'wrong status'
  | 'not JSON'
  | 'wrong schema'
  | 'other content'

/** Nobody has decided. Carries words of ours and names of fields, never a text of the other side: it may hold a key. */
export class WebhookFailure extends Error {
  constructor(
    readonly kind: WebhookFailureKind,
    /** What the operator is told beyond the kind: ECONNREFUSED, HTTP_500. */
    readonly reason?: string,
  ) {
    super(kind)
    this.name = 'WebhookFailure'
  }
}

export function noTurn(why: NoTurn): WebhookFailure {
  return new WebhookFailure(why === 'line full' ? 'too many questions' : 'timed out')
}

export function noAnswer({ error, mayHaveArrived }: LostExchange): WebhookFailure {
  if (error === undefined) return new WebhookFailure('timed out')
  const reason = errorWord(error)
  if (/^(?:UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/.test(reason)) return new WebhookFailure('timed out', reason)
  if (!mayHaveArrived) return new WebhookFailure('not reached', reason)
  if (reason === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return new WebhookFailure('too large')
  if (error instanceof errors.HTTPParserError || reason === 'UND_ERR_HEADERS_OVERFLOW')
    return new WebhookFailure('no answer', reason)
  return new WebhookFailure('connection lost', reason)
}
