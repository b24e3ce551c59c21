import * as z from 'zod'
import type { ErrorCode, Fault } from '../src/errors/error-catalogue.js'
import type { Now } from '../src/ground/clock.js'

/**
 * A rule of a parameter is an ordinary zod check whose error is the documented code: `.length(32, rule(-5004))`.
 * zod runs all of them; the catalogue's order then picks the fault that the request is answered with.
 */
export function rule(code: ErrorCode, details?: string): { error: string } {
  return { error: details === undefined ? `${code}` : `${code} ${details}` }
}

/** What is known of a parameter beside its rule. `x-error-code` answers a parameter that is given twice. */
export interface ParameterMeta {
  readonly description: string
  readonly example: string
  readonly 'x-error-code': ErrorCode
  /** Whether it may be given several times; its schema is an array then. */
  readonly 'x-repeatable'?: true
}

export function parameter<T extends z.ZodType>(schema: T, meta: ParameterMeta): T {
  return schema.meta({ ...meta })
}

export function metaOf(schema: z.ZodType): ParameterMeta {
  // Every parameter is made by parameter() above; zod's own type of a registry entry is open.
  return schema.meta() as unknown as ParameterMeta
}

/** The faults that zod found, with the names as the client wrote them (`suffix` is `.N` for a numbered key). */
export function faultsOf(error: z.ZodError, suffix = ''): Fault[] {
  return error.issues.map(({ message, path }) => {
    const space = message.indexOf(' ')
    const code = Number(space === -1 ? message : message.slice(0, space))
    return {
      code: code as ErrorCode, // rule() is the only writer of these messages
      details: space === -1 ? undefined : message.slice(space + 1),
      parameter: `${String(path[0])}${suffix}`,
    }
  })
}

export function hex(digits: number, wrongLength: { error: string }, notHex: { error: string }) {
  return z
    .string()
    .length(digits, wrongLength)
    .regex(/^[0-9A-Fa-f]*$/, notHex)
}

export function wholeNumber(least: number, most: number, outOfRange: { error: string }) {
  return z
    .string()
    .regex(/^\d{1,10}$/, outOfRange)
    .refine(text => Number(text) >= least && Number(text) <= most, outOfRange)
    .transform(Number)
}

const RFC3339_OR_SECONDS = /^(?:[+ ]\d{1,10}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)$/
const LAST_MOMENT = Date.UTC(9999, 11, 31)

/**
 * A moment, as milliseconds since 1970: RFC 3339 with `Z`, or `+seconds` from now. The plus may arrive as a space,
 * because form decoding makes one of a bare `+`.
 */
export function futureMoment(name: string, now: Now, furthestAhead = Number.POSITIVE_INFINITY) {
  const malformed = `${name} must be RFC 3339 with Z, or + and a whole number of seconds`
  return z
    .string()
    .regex(RFC3339_OR_SECONDS, rule(-2002, malformed))
    .transform((text, context) => {
      const present = now()
      const moment = /^[+ ]/.test(text) ? present + Number(text.slice(1)) * 1000 : calendarMoment(text)
      const refused = refusal(moment, present)
      if (refused !== undefined) context.addIssue({ code: 'custom', message: rule(-2002, refused).error })
      return moment
    })

  function refusal(moment: number, present: number): string | undefined {
    if (Number.isNaN(moment) || moment > LAST_MOMENT) return malformed
    if (moment <= present) return `${name} is not in the future`
    if (moment > present + furthestAhead) return `${name} is more than ${furthestAhead / 86_400_000} days ahead`
    return undefined
  }
}

/** RFC 3339 with `Z`, as milliseconds since 1970. */
export const moment = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/)
  .transform(calendarMoment)
  .refine(milliseconds => !Number.isNaN(milliseconds))

/** A moment in JSON. */
export function jsonMoment(description: string) {
  const malformed = 'must be RFC 3339 with Z, such as 2027-01-01T00:00:00Z'
  return z
    .string(malformed)
    .meta({ description, format: 'date-time', examples: ['2027-01-01T00:00:00Z'] })
    .transform((text, context) => {
      const read = moment.safeParse(text)
      if (read.success) return read.data
      context.addIssue({ code: 'custom', message: malformed })
      return z.NEVER
    })
}

/** NaN for a day that no calendar has: Date alone would make 1 March of 30 February. */
function calendarMoment(text: string): number {
  const moment = Date.parse(text)
  const sameDay = !Number.isNaN(moment) && new Date(moment).toISOString().startsWith(text.slice(0, 19))
  return sameDay ? moment : Number.NaN
}

/** A number in a URL. */
export function numeral(least: number, most: number) {
  const digits = z
    .string()
    .regex(/^\d{1,10}$/, `must be a whole number from ${least} to ${most}`)
    .meta({ type: 'integer', minimum: least, maximum: most })
  return digits.transform(Number).pipe(z.int().min(least).max(most))
}
