import * as z from 'zod'
import { numeral } from './rules.js'

const LONGEST_TEXT = 2000
const LONGEST_EXPRESSION = 500
const MOST_PARAMETERS = 50

/** What a member must be like, where it is not simply named. */
const condition = z
  .strictObject({
    matches: z
      .string()
      .min(1)
      .max(LONGEST_EXPRESSION)
      .optional()
      .meta({ description: 'A regular expression of JavaScript that it has to match somewhere.' }),
    ignoreCase: z.boolean().optional(),
    absent: z.boolean().optional().meta({ description: 'Whether there is no such member.' }),
  })
  .refine(({ matches, absent }) => (matches === undefined) !== (absent === undefined))
  .refine(({ matches, ignoreCase }) => ignoreCase === undefined || matches !== undefined)

const FORMS = '{"matches": "a regular expression"} or {"absent": true}'

const text = z.union([z.string().max(LONGEST_TEXT), condition], `must be a text, ${FORMS}`).optional()
const number = z.union([z.number(), condition], `must be a number, ${FORMS}`).optional()
const texts = z
  .record(z.string().max(LONGEST_TEXT), z.union([z.string().max(LONGEST_TEXT), condition], `must be a text, ${FORMS}`))
  .refine(given => Object.keys(given).length <= MOST_PARAMETERS, `must have at most ${MOST_PARAMETERS} members`)
  .optional()

/** Which requests of the journal are meant: all members have to match. */
export const requestPattern = z
  .strictObject({
    id: text,
    number,
    time: text,
    ms: number,
    method: text,
    path: text,
    route: text,
    host: text,
    address: text,
    userAgent: text,
    customer: number,
    environment: text,
    drm: text,
    parameters: texts.meta({ description: 'By name. Of several values one has to match.' }),
    ignored: texts.meta({ description: 'By name; the value is the suggested name.' }),
    assumed: text.meta({ description: 'One of the names has to match.' }),
    status: number,
    errorCode: number,
    message: text,
    parameter: text,
    fault: text,
    tokenId: text,
    eventId: number,
  })
  .meta({ description: 'Which requests are meant: all members have to match.' })

/** Which events of the transaction log are meant: all members have to match. */
export const eventPattern = z
  .strictObject({
    customer: number,
    environment: text,
    event_id: number,
    time: text,
    event: text,
    drm: text,
    token_id: text,
    kid: text.meta({ description: 'One of the KIDs has to match.' }),
    cookie: text,
    device_id: text,
    ip_address: text,
    rights_type: text,
    error_code: number,
    request_id: text,
  })
  .meta({ description: 'Which events are meant: all members have to match.' })

const COUNT = 1_000_000
const A_COUNT = `must be a whole number from 0 to ${COUNT}`
const count = z.int(A_COUNT).min(0, A_COUNT).max(COUNT, A_COUNT)
const bound = count.optional()

export const LONGEST_WAIT = 60_000

const times = z
  .union(
    [
      count,
      z.strictObject({ atLeast: bound, atMost: bound }).refine(({ atLeast = 0, atMost = COUNT }) => atLeast <= atMost),
    ],
    'must be a whole number, or {"atLeast": 1, "atMost": 2} with at least one of the two, the first not above the second',
  )
  .optional()
  .meta({ description: 'How often: a number, or bounds. Without it, at least once.' })

function milliseconds(preset: number) {
  const message = `must be a whole number from 0 to ${LONGEST_WAIT}`
  return z
    .int(message)
    .min(0, message)
    .max(LONGEST_WAIT, message)
    .default(preset)
    .meta({ description: `Milliseconds to wait, at most ${LONGEST_WAIT}.` })
}

export const requestVerification = z.strictObject({ pattern: requestPattern, times, withinMs: milliseconds(0) })
export const requestWait = z.strictObject({ pattern: requestPattern, times, withinMs: milliseconds(2000) })
export const eventVerification = z.strictObject({ pattern: eventPattern, times, withinMs: milliseconds(0) })
export const eventWait = z.strictObject({ pattern: eventPattern, times, withinMs: milliseconds(2000) })

export const searchQuery = z.strictObject({
  limit: numeral(1, 1000).default(100).meta({ description: 'The most that are answered.' }),
})

/** The same of the library, which has numbers. */
const LIMIT = 'must be a whole number from 1 to 1000'
export const libraryPage = z.strictObject({
  limit: z.int(LIMIT).min(1, LIMIT).max(1000, LIMIT),
  before: z.int('must be a whole number').optional(),
})

export type Condition = z.output<typeof condition>
export type RequestPattern = z.output<typeof requestPattern>
export type EventPattern = z.output<typeof eventPattern>
export type Times = z.output<typeof times>
