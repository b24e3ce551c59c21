import type { FailureKind, RequestFailure } from '../connections/request-failure.js'
import { TokenError, UNAVAILABLE } from '../errors/public-error.js'

/** The callers' answers when the real service, or one of its licence servers, gave no answer. */
const answers: Readonly<Record<FailureKind, readonly [status: 429 | 502 | 503 | 504, details: string]>> = {
  'not reached': [502, '{} cannot be reached'],
  'not reached in time': [504, '{} was not reached in time'],
  'queue full': [503, 'too many requests wait for {}'],
  'circuit open': [503, '{} fails, and is left alone for a while'],
  'not accepted': [502, '{} refused with something that is no answer'],
  'too many requests': [429, '{} asks for fewer requests'],
  'connection lost': [502, 'the connection to {} was lost'],
  'timed out': [504, '{} did not answer in time'],
  'too large': [502, 'the answer of {} is too large'],
  'no answer': [502, '{} answered with something that is no answer'],
  'caller gone': [502, 'nobody waits for the answer of {} any more'],
  'not read': [502, 'nobody reads the answer of {}'],
}

export function tokenUnavailable(failure: RequestFailure, isRecorded: boolean): TokenError {
  const { kind, retryAfter, mayHaveArrived: mayHaveIssued } = failure
  const [status, text] = answers[kind]
  const outcome = mayHaveIssued ? ', and it is unknown whether it issued a token' : ''
  const details = text.replace('{}', 'the upstream') + outcome
  return new TokenError({ code: UNAVAILABLE, details }, { status, retryAfter, isRecorded, mayHaveIssued })
}

export function licenceUnavailable({ kind, retryAfter }: RequestFailure): TokenError {
  const [status, text] = answers[kind]
  return new TokenError(
    { code: UNAVAILABLE, details: text.replace('{}', 'the licence server') },
    { status, retryAfter },
  )
}
