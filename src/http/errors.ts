import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { errorFormatOf } from '../../schemas/token-request.js'
import { framesOf, PublicError, type Refusal } from '../errors/public-error.js'
import type { Logger } from '../ground/logger.js'
import { sendAs } from './answers.js'
import { type ErrorForm, htmlErrors, jsonErrors } from './error-forms.js'
import { MethodNotAllowed, refuseUnknownPaths } from './unknown-paths.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The form of this route's errors; without one it is the form that the request asks for. */
    errorForm?: ErrorForm
  }
  interface FastifyReply {
    /** The error that this request was answered with, for the log and the metrics. */
    refusal: Refusal | undefined
  }
}

export interface ErrorsOptions {
  readonly logger: Logger
  /** The form of all errors, where no request may ask for another. */
  readonly errorForm?: ErrorForm | undefined
}

/** The one error handler, and the one for paths and methods that do not exist. Comes before the routes. */
export const errors = fp(async (app: FastifyInstance, { logger, errorForm }: ErrorsOptions) => {
  app.decorateReply('refusal', undefined)
  refuseUnknownPaths(app, errorForm)
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const refusal = publicPartOf(error, request, logger)
    if (refusal.retryAfter !== undefined) reply.header('retry-after', refusal.retryAfter)
    if (error instanceof MethodNotAllowed) reply.header('allow', error.allowed)
    return sendRefusal(request, reply, refusal)
  })
})

function sendRefusal(request: FastifyRequest, reply: FastifyReply, refusal: Refusal): FastifyReply {
  const form = request.routeOptions.config.errorForm ?? FORMATS[errorFormatOf(request)]
  reply.refusal = refusal
  reply.code(form.status ?? refusal.status).header('x-content-type-options', 'nosniff')
  if (form.headers !== undefined) reply.headers(form.headers)
  return sendAs(reply, form.contentType, form.present(refusal, request))
}

const FORMATS = { html: htmlErrors, json: jsonErrors } as const

const HTTP_REFUSALS: ReadonlyMap<number, string> = new Map([
  [400, 'Bad request'],
  [408, 'The body did not arrive in time'],
  [413, 'The body is too large'],
  [415, 'The body has a content type that is not read here'],
])

/** The one place that decides what of an error its cause gets to see. */
function publicPartOf(error: FastifyError | PublicError, request: FastifyRequest, logger: Logger): Refusal {
  if (error instanceof PublicError) {
    if (error.cause !== undefined) logFailure(error.cause, request, logger)
    return error
  }
  const status = error.statusCode ?? 500
  const message = HTTP_REFUSALS.get(status) ?? STATUS_CODES[status]
  if (status < 500 && message !== undefined) return { status, code: status, message }
  logFailure(error, request, logger)
  return { status: 500, code: 500, message: 'Internal server error' }
}

/** Only where and what kind: the text of an unforeseen error may quote what it failed on. */
export function logFailure(failure: unknown, request: FastifyRequest, logger: Logger): void {
  const error = failure instanceof Error ? failure : new Error('not an error')
  logger.error({ requestId: request.id, error: error.name, stack: framesOf(error) }, 'failed')
}
