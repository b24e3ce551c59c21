import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorAnswer, messageWithCode } from '../../schemas/answers.js'
import type { ErrorFormat } from '../../schemas/credentials.js'
import { type EntitlementAnswer, echoOf } from '../../schemas/entitlement.js'
import { errorFormatOf } from '../../schemas/token-request.js'
import { FAULT_STATUS, faultOf, SOAP_TYPE } from '../drm/soap.js'
import type { Refusal } from '../errors/public-error.js'
import { errorPage } from './error-page.js'

declare module 'fastify' {
  interface FastifyReply {
    /** The error that this request was answered with: the log and the metrics tell it. */
    refusal: Refusal | undefined
    /** What the log tells of a request beside its route: nothing secret. */
    asked: Readonly<Record<string, string | number>> | undefined
    /** The form of errors where the endpoint has only one, whatever the request asks for. */
    errorFormat: ErrorFormat | 'soap' | 'entitlement' | undefined
  }
}

/** Sends a text with exactly this content type: clients compare it, so no charset may be added. */
export function sendAs(reply: FastifyReply, contentType: string, text: string): FastifyReply {
  return reply.header('content-type', contentType).serializer(asItIs).send(text)
}

export function sendJson(reply: FastifyReply, answer: object): FastifyReply {
  return sendAs(reply, 'application/json', JSON.stringify(answer))
}

/** Sends an error in the form that the request asked for. */
export function sendRefusal(request: FastifyRequest, reply: FastifyReply, refusal: Refusal): FastifyReply {
  const { status, code, message, parameter } = refusal
  reply.refusal = refusal
  reply.code(status).header('x-content-type-options', 'nosniff')
  const answer: ErrorAnswer = {
    code,
    message: messageWithCode(code, message),
    ...(parameter === undefined ? {} : { parameter }),
    requestId: request.id,
  }
  const form = reply.errorFormat ?? errorFormatOf(request)
  if (form === 'soap') return sendAs(reply.code(FAULT_STATUS), SOAP_TYPE, faultOf(answer))
  if (form === 'entitlement') return sendJson(reply, refusedEntitlement(request.body, refusal))
  if (form === 'json') return sendJson(reply, answer)
  return sendAs(
    reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'"),
    'text/html; charset=utf-8',
    errorPage({ code, message, parameter, requestId: request.id }),
  )
}

/** The entitlement service has one form for everything (spec: sees.md). */
export function refusedEntitlement(body: unknown, { code, message }: Pick<Refusal, 'code' | 'message'>) {
  const { messageID, version } = echoOf(body)
  const answer: EntitlementAnswer = {
    messageID,
    version,
    isAllowed: false,
    epTokenURL: '',
    error: code,
    errorText: message,
  }
  return answer
}

function asItIs(text: unknown): string {
  return String(text)
}
