import type { FastifyError, FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { KeystoreError } from '../../schemas/keystore.js'
import { KeyStorageError } from '../errors/key-storage-error.js'
import { PublicError, type Refusal } from '../errors/public-error.js'
import { logFailure } from './answering.js'
import { sendAs } from './answers.js'

/** Errors in SKM's form (spec: keystore.md). */
export function answerKeystoreErrors(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler<FastifyError | PublicError | KeyStorageError>((error, request, reply) => {
    if (error instanceof PublicError && error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
    const refusal = refusalOf(error)
    if (refusal.status >= 500) logFailure(error.cause ?? error, request, logger)
    reply.refusal = refusal
    reply.code(refusal.status).header('x-content-type-options', 'nosniff')
    const answer: KeystoreError = { code: refusal.code, message: refusal.message }
    return sendAs(reply, 'application/json', JSON.stringify(answer))
  })
}

const INTERNAL = 1
const INVALID_SYNTAX = 3

const HTTP_REFUSALS: ReadonlyMap<number, string> = new Map([
  [400, 'The body is not JSON'],
  [408, 'The body did not arrive in time'],
  [413, 'The body is too large'],
  [415, 'The body must be application/json'],
])

function refusalOf(error: FastifyError | PublicError | KeyStorageError): Refusal {
  if (error instanceof KeyStorageError) return error
  // Who asks is told with the token endpoint's codes; that it cannot be found out is a fault of ours as any other.
  if (error instanceof PublicError)
    return error.status < 500 ? error : { status: error.status, code: INTERNAL, message: error.message }
  const { statusCode: status = 500 } = error
  const message = HTTP_REFUSALS.get(status)
  if (message !== undefined) return { status, code: INVALID_SYNTAX, message }
  return { status: 500, code: INTERNAL, message: 'Internal server error' }
}
