import * as z from 'zod'
import { textOfMessage } from '../../schemas/answers.js'
import { RequestFailure } from '../connections/request-failure.js'
import { codeInText, textOfPage } from '../error-pages.js'
import { PublicError, TokenError, UNAVAILABLE } from '../errors/public-error.js'
import { customerOfToken } from '../tokens/outer-layout.js'
import { withoutSecrets } from './secret-finder.js'
import type { UpstreamAnswer, UpstreamRequest } from './token-exchange.js'

const issued = z.object({
  // Any host: an emulator may run on one without a domain name.
  licenseAcquisitionUrl: z
    .string()
    .regex(/^https?:\/\/[^\s"'<>\\^`{|}]+$/i)
    .refine(URL.canParse),
  token: z.string().regex(/^[\w+/-]{32,}={0,2}$/),
})
const parameter = z.string().optional()
/** The service's own form of an error, and an older one. */
const refused = z.union([
  z.object({ code: z.int32(), message: z.string(), parameter }),
  z
    .object({ errorCode: z.int32(), errorMessage: z.string(), parameter })
    .transform(({ errorCode: code, errorMessage: message, parameter }) => ({ code, message, parameter })),
])

type UpstreamError = z.output<typeof refused>

export type UpstreamToken = z.output<typeof issued>
/** The outcome of a token request. */
export type Outcome = UpstreamToken | UpstreamRefusal | NotRecorded | RequestFailure

/** The real service said no: its code and its status go back to the caller. */
export class UpstreamRefusal extends PublicError {}

/** A replay has no recording of the request. No service was asked. */
export class NotRecorded extends TokenError {
  constructor(details: string) {
    super({ code: UNAVAILABLE, details }, { status: 502, isRecorded: true })
  }
}

/** Reads an answer of the token endpoint: a token, as JSON or in the form of its DRM, or an error. */
export function readTokenAnswer(
  answer: UpstreamAnswer,
  request: UpstreamRequest,
  numbered: Set<string> = new Set(),
): Outcome {
  const { status, body, retryAfter } = answer
  const content = contentOf(body)
  const token = status === 200 ? issued.safeParse(content ?? request.family.answer.read(body)).data : undefined
  if (token !== undefined) {
    if (isOfAnother(token, request, numbered)) return new RequestFailure('no answer', { reason: ANOTHER_CUSTOMER })
    return token
  }
  const error =
    status >= 400 && status <= LAST_STATUS ? (refused.safeParse(content).data ?? errorOnPage(body)) : undefined
  if (error !== undefined) return refusal(error, answer, request)
  const reason = `HTTP_${status}`
  if (status === 429) return new RequestFailure('too many requests', { reason, retryAfter })
  return new RequestFailure(saysThatNothingWasDone(status) ? 'not accepted' : 'no answer', { reason })
}

/** The token belongs to another request: HTTP/1.1 does not number its answers. */
export const ANOTHER_CUSTOMER = 'ANOTHER_CUSTOMER'

/**
 * Whether a token's outer bytes have another customer's number. The number's link to the authenticator is not
 * documented, so the check applies only to authenticators that have received their own number before (`numbered`).
 */
function isOfAnother({ token }: UpstreamToken, { authenticator }: UpstreamRequest, numbered: Set<string>): boolean {
  const customer = customerOfToken(token)
  const [own] = /^\d+(?=,)/.exec(authenticator) ?? []
  if (customer === undefined || own === undefined) return false
  if (customer === Number(own)) numbered.add(authenticator)
  return customer !== Number(own) && numbered.has(authenticator)
}

/** A redirect or a 4xx, whatever the body; but a 303 points to the result of a request that was carried out. */
function saysThatNothingWasDone(status: number): boolean {
  return status >= 300 && status < 500 && status !== 303
}

function contentOf(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** An error page has the code somewhere in its text. */
function errorOnPage(body: string): UpstreamError | undefined {
  const text = textOfPage(body)
  const code = codeInText(text)
  if (code === undefined) return undefined
  return { code, message: textBehind(code, text) }
}

/** The message without the code: error pages, ours and the real service's, have it once or twice before the text. */
function textBehind(code: number, text: string): string {
  const place = text.lastIndexOf(`${code}`)
  const behind = text.slice(place + `${code}`.length).replace(/^[\])\s:.,-]+/, '')
  return behind === '' ? text : behind
}

/** Higher numbers are no HTTP status. */
const LAST_STATUS = 599
const MAX_MESSAGE = 300

function refusal(
  { code, message, parameter }: UpstreamError,
  { status, retryAfter }: UpstreamAnswer,
  request: UpstreamRequest,
): UpstreamRefusal {
  return new UpstreamRefusal(withoutSecrets(textOfMessage(message), request).slice(0, MAX_MESSAGE), {
    code,
    status,
    parameter: parameter === undefined ? undefined : withoutSecrets(parameter, request).slice(0, 100),
    retryAfter,
    isRecorded: true,
    // After a 5xx the service may or may not have issued the token.
    mayHaveIssued: status >= 500,
  })
}
