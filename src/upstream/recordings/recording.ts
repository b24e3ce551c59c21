import * as z from 'zod'
import { moment } from '../../../schemas/rules.js'
import { failureKinds } from '../../connections/request-failure.js'
import { TOKEN_FAMILIES } from '../../drm/families.js'
import type { TokenFamily } from '../../drm/family.js'
import { playready } from '../../drm/playready-family.js'
import { ENVIRONMENTS } from '../../ground/environment.js'

/** Recursive code must not overflow the stack on deeper nesting. */
const MAX_DEPTH = 100

/** One exchange with the real service, as stored in a file: readable, without secrets (docs/gateway.md). */
export const recording = z
  .strictObject({
    format: z.literal(1, 'must be 1: a newer version of this program reads other formats'),
    /** When the request was sent. */
    recordedAt: moment,
    request: z.strictObject({
      environment: z.enum(ENVIRONMENTS),
      /** The token endpoint; without it PlayReady's. */
      path: z.enum(TOKEN_FAMILIES.map(({ tokenPath }) => tokenPath)).default(playready.tokenPath),
      customerId: z.int(),
      parameters: z.record(z.string(), z.union([z.string(), z.array(z.string()).readonly()])),
      /** The names of the parameters whose values are secret. */
      secrets: z.array(z.string()),
      /** From 2, for a retry: the earlier tries had not arrived. */
      try: z.int().min(2).optional(),
    }),
    answer: z
      .strictObject({
        /** HTTP allows this range, although 600 and above have no meaning. */
        status: z.int().min(100).max(999),
        /** `json` for a JSON object, else `text`. */
        json: z
          .record(z.string(), z.unknown())
          .refine(isShallow, `must not be nested deeper than ${MAX_DEPTH}`)
          .optional(),
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
/** The same with `recordedAt` as text. */
export type RecordingText = z.input<typeof recording>

/** The tokens that are made at this path. */
export function familyAt(path: Recording['request']['path']): TokenFamily {
  return TOKEN_FAMILIES.find(({ tokenPath }) => tokenPath === path) ?? playready
}

export type RecordedAnswer = NonNullable<Recording['answer']>

export function recordedAnswer(status: number, body: string): RecordedAnswer {
  const content = objectIn(body)
  return content === undefined || !isShallow(content) ? { status, text: body } : { status, json: content }
}

export function bodyOf({ json, text }: RecordedAnswer): string {
  return json === undefined ? (text ?? '') : JSON.stringify(json)
}

/** Iterative, level by level. */
function isShallow(content: object): boolean {
  let level: object[] = [content]
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth++)
    level = level.flatMap(one => Object.values(one).filter(isObject))
  return level.length === 0
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    return z.record(z.string(), z.unknown()).safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
