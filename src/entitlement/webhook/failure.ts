import { errors } from 'undici'

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

/** What befell the connection, before the first byte of the question was written or after it. */
export function connectionFailure(error: Error, hasBegun: boolean): WebhookFailure {
  const { code = '', name }: NodeJS.ErrnoException = error
  const reason = /^\w{1,64}$/.test(code) ? code : name
  if (/^(?:UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/.test(reason)) return new WebhookFailure('timed out', reason)
  if (!hasBegun) return new WebhookFailure('not reached', reason)
  if (reason === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return new WebhookFailure('too large')
  if (error instanceof errors.HTTPParserError || reason === 'UND_ERR_HEADERS_OVERFLOW')
    return new WebhookFailure('no answer', reason)
  return new WebhookFailure('connection lost', reason)
}
