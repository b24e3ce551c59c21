import * as z from 'zod'
import { textOfMessage, tokenAnswer } from '../../schemas/answers.js'
import type { TokenFamily } from '../drm/family.js'
import { codeInText, textOfPage } from '../error-pages.js'

/** An answer as far as it is compared. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** What an answer says. */
export type Outcome = IssuedOutcome | OtherOutcome

export interface IssuedOutcome {
  readonly kind: 'a token'
  readonly token: string
  readonly licenseAcquisitionUrl: string
}

export interface OtherOutcome {
  readonly kind: 'a refusal' | 'neither'
  readonly code?: number | undefined
  readonly text: string
  /** What stands in square brackets before the text of the service's form. */
  readonly bracketed?: string | undefined
  readonly parameter?: string | undefined
  readonly requestId?: string | undefined
}

/** What an answer to a request for a token of this family says. */
export function outcomeOf({ status, body }: Answer, { answer }: TokenFamily): Outcome {
  const content = jsonOf(body)
  const token = tokenAnswer.safeParse(content).data ?? (status < 400 ? answer.read(body) : undefined)
  if (token !== undefined) return { kind: 'a token', ...token }
  const kind = status >= 400 ? 'a refusal' : 'neither'
  const error = errorBody.safeParse(content)
  if (!error.success) return { kind, ...ofPage(body) }
  const { code, errorCode, message, errorMessage, parameter, requestId } = error.data
  const text = textOfMessage(message ?? errorMessage ?? '')
  const bracketed = message === undefined ? undefined : (/^\[(-?\d{1,10})\]/.exec(message)?.[1] ?? '')
  return { kind, code: code ?? errorCode, text, bracketed, parameter, requestId }
}

export function isToken(answer: Answer, family: TokenFamily): boolean {
  return outcomeOf(answer, family).kind === 'a token'
}

/** The service's form, and an older one with other names. */
const errorBody = z.object({
  code: z.int().optional().catch(undefined),
  errorCode: z.int().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  errorMessage: z.string().optional().catch(undefined),
  parameter: z.string().optional().catch(undefined),
  requestId: z.string().optional().catch(undefined),
})

function ofPage(html: string) {
  const text = textOfPage(html)
  return { code: codeInText(text), text }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
