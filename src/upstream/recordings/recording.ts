import { z } from 'zod'
import { moment } from '../../../schemas/rules.js'
import { ENVIRONMENTS } from '../../environment.js'
import { failureKinds } from '../failure.js'

/** One exchange with the real service, as a file keeps it: readable, and nothing secret in it (docs/gateway.md). */
export const recording = z
  .strictObject({
    format: z.literal(1, 'must be 1: a newer version of this program reads other formats'),
    /** When the request was sent. */
    recordedAt: moment,
    request: z.strictObject({
      environment: z.enum(ENVIRONMENTS),
      customerId: z.int(),
      parameters: z.record(z.string(), z.string()),
      /** The names of the parameters whose values are secret. */
      secrets: z.array(z.string()),
      /** From 2: the same request had been tried before, and had not arrived. */
      try: z.int().min(2).optional(),
    }),
    answer: z
      .strictObject({
        /** As HTTP can say it, though nobody should. */
        status: z.int().min(100).max(999),
        /** The body where it is a JSON object, and else its text. */
        json: z.record(z.string(), z.unknown()).optional(),
        text: z.string().optional(),
      })
      .refine(({ json, text }) => (json === undefined) !== (text === undefined), 'must have either json or text')
      .optional(),
    failure: z.enum(failureKinds).optional(),
  })
  .refine(({ answer, failure }) => (answer === undefined) !== (failure === undefined), {
    message: 'must have either answer or failure',
  })

export type Recording = z.output<typeof recording>
/** The same with its moment as text. */
export type RecordingText = z.input<typeof recording>
export type RecordedAnswer = NonNullable<Recording['answer']>

export function recordedAnswer(status: number, body: string): RecordedAnswer {
  const content = objectIn(body)
  return content === undefined ? { status, text: body } : { status, json: content }
}

export function bodyOf({ json, text }: RecordedAnswer): string {
  return json === undefined ? (text ?? '') : JSON.stringify(json)
}

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    return z.record(z.string(), z.unknown()).safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
