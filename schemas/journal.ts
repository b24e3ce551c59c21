import * as z from 'zod'
import { ENVIRONMENTS } from '../src/ground/environment.js'
import { errorAnswer } from './answers.js'
import { recordedEvent } from './records.js'
import { numeral } from './rules.js'

const value = z.union([z.string(), z.array(z.string())])

/** A request as the journal shows it. What has no value is left out. */
export const journalledRequest = z
  .object({
    id: z.string().meta({ description: 'The request id, also in the header `x-request-id` of the answer.' }),
    number: z.int().meta({ description: 'Counts up from 1 in the order of the answers.' }),
    time: z.iso.datetime().meta({ description: 'When it was answered.' }),
    ms: z.number().meta({ description: 'How long that took.' }),
    method: z.string().optional(),
    path: z.string().optional().meta({ description: 'Without the query.' }),
    route: z.string().optional().meta({ description: '`invalid` for bytes that are no HTTP request.' }),
    host: z.string().optional(),
    address: z.string(),
    userAgent: z.string().optional(),
    customer: z.int().optional().meta({ description: 'Once the request is authenticated.' }),
    environment: z.enum(ENVIRONMENTS).optional(),
    drm: z.string().optional(),
    parameters: z
      .record(z.string(), value)
      .meta({ description: 'Of the query and the body. Keys, KEKs, authenticators and tokens are masked (`…`).' }),
    ignored: z
      .record(z.string(), z.string().nullable())
      .optional()
      .meta({ description: 'Unknown parameters by name, with the name that was probably meant.' }),
    assumed: z.array(z.string()).optional().meta({ description: 'Parameters whose values were assumed.' }),
    status: z.int().meta({ description: '499 if the caller was gone before the answer.' }),
    errorCode: z.int().optional(),
    message: z.string().optional(),
    parameter: z.string().optional().meta({ description: 'The parameter at fault.' }),
    fault: z.string().optional().meta({ description: 'The id of the rule that injected a fault.' }),
    tokenId: z.string().optional(),
    eventId: z.int().optional().meta({ description: 'Its event in the transaction log.' }),
  })
  .meta({ description: 'A request that the server answered. What has no value is left out.' })

/** An event as searches show it: it says whose it is. */
export const searchedEvent = recordedEvent
  .extend({ customer: z.int(), environment: z.enum(ENVIRONMENTS) })
  .meta({ description: 'An event of the transaction log, and whose it is.' })

export const requestPage = z.object({
  requests: z.array(journalledRequest).meta({ description: 'The newest first.' }),
  next: z.int().nullable().meta({ description: '`before` for the next page; null: there is none.' }),
})
export const foundRequests = requestPage.pick({ requests: true })
export const foundEvents = z.object({ events: z.array(searchedEvent).meta({ description: 'The newest first.' }) })
export const matchCount = z.object({ count: z.int() })

/** What a verification answers that holds: the newest of those that match. */
export const verifiedRequests = matchCount.extend({ requests: z.array(journalledRequest) })
export const verifiedEvents = matchCount.extend({ events: z.array(searchedEvent) })

const differs = z
  .array(
    z.object({
      member: z.string(),
      wanted: z.unknown(),
      was: z.unknown().meta({ description: 'null: there is no such member.' }),
    }),
  )
  .meta({ description: 'The members that are not as the pattern wants them; empty where it matches.' })

/** What a verification answers that does not hold. */
export const unmetRequests = errorAnswer.extend({
  count: z.int().meta({ description: 'How many match.' }),
  nearest: z.array(z.object({ request: journalledRequest, differs })).meta({ description: 'The nearest first.' }),
})
export const unmetEvents = errorAnswer.extend({
  count: z.int().meta({ description: 'How many match.' }),
  nearest: z.array(z.object({ event: searchedEvent, differs })).meta({ description: 'The nearest first.' }),
})

export const requestPath = z.strictObject({ id: z.string().meta({ description: 'The request id.' }) })

const text = z.string().max(200).optional()
const whole = z
  .string()
  .regex(/^-?\d{1,15}$/, 'must be a whole number')
  .transform(Number)
  .pipe(z.int())
  .meta({ type: 'integer' })
  .optional()

export const requestQuery = z.strictObject({
  limit: numeral(1, 1000).default(100).meta({ description: 'The most requests on a page.' }),
  before: whole.meta({ description: 'Only requests with a smaller number: `next` of the page before.' }),
  id: text,
  number: whole,
  time: text,
  ms: text.transform((given, context) => {
    if (given === undefined || /^\d{1,9}(?:\.\d{1,3})?$/.test(given)) return given === undefined ? given : Number(given)
    context.addIssue({ code: 'custom', message: 'must be a number' })
    return z.NEVER
  }),
  method: text,
  path: text,
  route: text,
  host: text,
  address: text,
  userAgent: text,
  customer: whole,
  environment: text,
  drm: text,
  status: whole,
  errorCode: whole,
  message: text,
  parameter: text,
  fault: text,
  tokenId: text,
  eventId: whole,
})

export const streamQuery = z.strictObject({
  customer: whole.meta({ description: 'Only what is about this customer, or about none.' }),
})

export type RequestQuery = z.output<typeof requestQuery>
export type JournalledRequest = z.output<typeof journalledRequest>
export type SearchedEvent = z.output<typeof searchedEvent>
