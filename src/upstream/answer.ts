import { z } from 'zod'
import { PublicError } from '../errors.js'
import type { UpstreamAnswer, UpstreamRequest } from './exchange.js'
import { UpstreamFailure } from './failure.js'
import { withoutSecrets } from './secrets.js'

const issued = z.object({ licenseAcquisitionUrl: z.httpUrl(), token: z.string().regex(/^[\w-]+={0,2}$/) })
const refused = z.object({ errorCode: z.int(), errorMessage: z.string(), parameter: z.string().optional() })

export type UpstreamToken = z.output<typeof issued>

/** The real service said no: its code and its status go back to the caller. */
export class UpstreamRefusal extends PublicError {
  /** After a fault of its own nobody knows whether it has issued the token. */
  get mayHaveIssued(): boolean {
    return this.status >= 500
  }
}

/** Reads an answer of the token endpoint: a token, or the error that it is. */
export function readAnswer({ status, body }: UpstreamAnswer, request: UpstreamRequest): UpstreamToken {
  const content = contentOf(body)
  const token = status === 200 ? issued.safeParse(content).data : undefined
  if (token !== undefined) return token
  const error = status >= 400 ? refused.safeParse(content).data : undefined
  if (error !== undefined)
    throw refusal({ ...error, errorMessage: withoutSecrets(error.errorMessage, request) }, status)
  // A redirection and a 4xx say that nothing was done, whatever their body is.
  throw new UpstreamFailure(status >= 300 && status < 500 ? 'not accepted' : 'no answer')
}

function contentOf(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

const LONGEST_MESSAGE = 300

function refusal({ errorCode, errorMessage, parameter }: z.output<typeof refused>, status: number): UpstreamRefusal {
  return new UpstreamRefusal(errorMessage.slice(0, LONGEST_MESSAGE), {
    code: errorCode,
    status,
    parameter: parameter?.slice(0, 100),
    isRecorded: true,
  })
}
