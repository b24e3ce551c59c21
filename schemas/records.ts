import * as z from 'zod'
import { StatusError } from '../src/errors/public-error.js'
import { CLEAR_KEY, TOKEN_DRMS } from '../src/ground/drms.js'
import { moment } from './rules.js'
import type { RawParameters } from './sorting.js'

/** How many events an answer has when the request does not say, and at most (spec: records.md). */
export const NEWEST = 32
const PAGE = 200
const MOST = 1000

/** The parameters of a look-up in the transaction log; the description says what each allows. */
export const recordParameters = {
  cookie: documented(
    z.string().regex(/^[^\p{Cc}]{0,32}$/u),
    'Up to 32 characters: the newest 32 events with it.',
    'viewer-4711',
  ),
  id: documented(wholeNumber(1, Number.MAX_SAFE_INTEGER), 'A whole number: the event with this event_id.', '4711'),
  start: documented(
    wholeNumber(0, Number.MAX_SAFE_INTEGER),
    'A whole number, with `length`: the index of the first event, the oldest being 0.',
    '0',
  ),
  length: documented(wholeNumber(1, MOST), `A whole number from 1 to ${MOST}, with \`start\`: how many events.`, '200'),
  from: documented(moment, 'RFC 3339 with `Z`: events of this moment and later.', '2026-06-01T00:00:00Z'),
  to: documented(moment, 'RFC 3339 with `Z`: events of this moment and earlier.', '2026-06-30T23:59:59.999Z'),
  limit: documented(
    wholeNumber(1, MOST),
    `A whole number from 1 to ${MOST}: how many events of a time are answered; ${PAGE} without it.`,
    '200',
  ),
  after: documented(
    wholeNumber(1, Number.MAX_SAFE_INTEGER),
    'A whole number: the event_id at which the page before this one ended.',
    '4711',
  ),
}

const parameters = z.object(recordParameters).partial()
const WAYS: readonly (readonly (keyof typeof recordParameters)[])[] = [
  ['cookie'],
  ['id'],
  ['start', 'length'],
  ['from', 'to', 'limit', 'after'],
]

/** One of the ways to ask. */
export type RecordRequest =
  | { readonly by: 'newest' }
  | { readonly by: 'cookie'; readonly cookie: string }
  | { readonly by: 'id'; readonly id: number }
  | { readonly by: 'number'; readonly after: number; readonly limit: number }
  | { readonly by: 'window'; readonly start: number; readonly length: number }
  | {
      readonly by: 'time'
      readonly from: number
      readonly to: number
      readonly limit: number
      readonly after?: number | undefined
    }

/** A look-up request. There is no documented error code for a wrong one. */
export function readRecordRequest(query: RawParameters): RecordRequest {
  const given = WAYS.map(way => way.filter(name => query[name] !== undefined)).filter(way => way.length > 0)
  const [[first] = [], [second] = []] = given
  if (first === undefined) return { by: 'newest' }
  if (second !== undefined) throw new StatusError(400, `${first} and ${second} are different ways to ask`, second)
  const parsed = parameters.safeParse(query)
  if (!parsed.success) {
    const name = String(parsed.error.issues[0]?.path[0])
    throw new StatusError(400, `${name} must be: ${descriptionOf(name)}`, name)
  }
  return requestOf(parsed.data)
}

function requestOf({ cookie, id, start, length, ...time }: z.output<typeof parameters>): RecordRequest {
  if (cookie !== undefined) return { by: 'cookie', cookie }
  if (id !== undefined) return { by: 'id', id }
  if (start !== undefined && length !== undefined) return { by: 'window', start, length }
  if (start !== undefined) throw new StatusError(400, 'start needs length', 'length')
  if (length !== undefined) throw new StatusError(400, 'length needs start', 'start')
  const { from, to, limit = PAGE, after } = time
  if (after !== undefined && from === undefined && to === undefined) return { by: 'number', after, limit }
  return { by: 'time', from: from ?? 0, to: to ?? Number.MAX_SAFE_INTEGER, limit, after }
}

function descriptionOf(name: string): string {
  const found = Object.entries(recordParameters).find(([known]) => known === name)
  return found?.[1].description ?? ''
}

function documented<T extends z.ZodType>(schema: T, description: string, example: string): T {
  return schema.meta({ description, examples: [example] })
}

function wholeNumber(least: number, most: number) {
  return z
    .string()
    .regex(/^\d{1,16}$/)
    .transform(Number)
    .refine(number => number >= least && number <= most)
}

/** An event, as it is answered. What has no value is left out and never `null`, at which clients break. */
export const recordedEvent = z
  .object({
    event_id: z.int().meta({ description: 'Counts up from 1 without a gap, for each customer and environment.' }),
    time: z.iso.datetime().meta({ description: 'RFC 3339 with milliseconds.' }),
    event: z.enum([
      'token_issued',
      'token_refused',
      'token_unknown',
      'token_redeemed',
      'redemption_refused',
      'entitlement_refused',
    ]),
    drm: z.enum([...TOKEN_DRMS, CLEAR_KEY]),
    token_id: z.string().optional(),
    kid: z.array(z.string()),
    cookie: z.string().optional(),
    device_id: z.string().optional(),
    ip_address: z.string().optional(),
    rights_type: z.string().optional(),
    error_code: z.int().meta({ description: '0 when there is none.' }),
    request_id: z.string(),
    injected: z
      .literal(true)
      .optional()
      .meta({ description: 'An emulator was told to refuse so, by a fault. A field of ours.' }),
  })
  .meta({ description: 'An event of the transaction log. What has no value is left out.' })

export const recordsAnswer = z
  .object({ valid: z.literal(true), events: z.array(recordedEvent) })
  .meta({ description: 'Events.' })

export type RecordedEvent = z.output<typeof recordedEvent>
export type RecordsAnswer = z.output<typeof recordsAnswer>
