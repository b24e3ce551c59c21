import type * as z from 'zod'
import { type ErrorAnswer, errorAnswer, messageWithCode } from '../../schemas/answers.js'
import { type EntitlementAnswer, echoOf, entitlementAnswer } from '../../schemas/entitlement.js'
import { type KeystoreError, keystoreError } from '../../schemas/keystore.js'
import { FAULT_STATUS, faultOf, SOAP_TYPE } from '../drm/soap.js'
import type { Refusal } from '../errors/public-error.js'
import { JSON_TYPE } from './answers.js'

/** How errors look to the clients of a route. */
export interface ErrorForm {
  readonly contentType: string
  /** What a body in this form looks like, for the OpenAPI document. */
  readonly schema: z.ZodType | 'text'
  /** Where every error has the same status. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  present(refusal: Refusal, request: RefusedRequest): string
}

export interface RefusedRequest {
  readonly id: string
  readonly body?: unknown
}

export const jsonErrors: ErrorForm = {
  contentType: JSON_TYPE,
  schema: errorAnswer,
  present: (refusal, { id }) => JSON.stringify(answerOf(refusal, id)),
}

/** A fault of SOAP 1.1, with the JSON inside. */
export const soapErrors: ErrorForm = {
  contentType: SOAP_TYPE,
  schema: 'text',
  status: FAULT_STATUS,
  present: (refusal, { id }) => faultOf(answerOf(refusal, id)),
}

/** SKM's (spec: keystore.md). */
export const keystoreErrors: ErrorForm = {
  contentType: JSON_TYPE,
  schema: keystoreError,
  present: refusal => JSON.stringify({ code: keystoreCode(refusal), message: refusal.message } satisfies KeystoreError),
}

/** The entitlement service answers an error as a decision (spec: sees.md). */
export const entitlementErrors: ErrorForm = {
  contentType: JSON_TYPE,
  schema: entitlementAnswer,
  present({ code, message }, { body }) {
    const { messageID, version } = echoOf(body)
    const answer: EntitlementAnswer = {
      messageID,
      version,
      isAllowed: false,
      epTokenURL: '',
      error: code,
      errorText: message,
    }
    return JSON.stringify(answer)
  },
}

/** Everything that may have come from the request is escaped. */
export const htmlErrors: ErrorForm = {
  contentType: 'text/html; charset=utf-8',
  schema: 'text',
  headers: { 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'" },
  present({ code, message, parameter }, { id }) {
    const rows = [
      ['Error code', String(code)],
      ['Message', message],
      ...(parameter === undefined ? [] : [['Parameter', parameter]]),
      ['Request id', id],
    ]
    return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Error ${code}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:3rem}dt{color:#666}dd{margin:0 0 1rem;overflow-wrap:anywhere}</style></head>
<body><h1>Error ${code}</h1><dl>
${rows.map(([name = '', value = '']) => `<dt>${name}</dt><dd>${escaped(value)}</dd>`).join('\n')}
</dl></body>
</html>
`
  },
}

function answerOf({ code, message, parameter }: Refusal, requestId: string): ErrorAnswer {
  return {
    code,
    message: messageWithCode(code, message),
    ...(parameter === undefined ? {} : { parameter }),
    requestId,
  }
}

const INTERNAL = 1
const INVALID_SYNTAX = 3
/** The statuses of a body that cannot be read. */
const BODY_STATUSES: ReadonlySet<number> = new Set([400, 408, 413, 415])

/** SKM has no codes for who asks and how often: there it is the token endpoint's, or the status. */
function keystoreCode({ code, status }: Refusal): number {
  if (status >= 500) return INTERNAL
  return BODY_STATUSES.has(code) ? INVALID_SYNTAX : code
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, character => ENTITIES[character] ?? '')
}
