import * as z from 'zod'
import { CLEAR_KEY, TOKEN_DRMS } from '../src/ground/drms.js'
import { ENVIRONMENTS } from '../src/ground/environment.js'
import { TOKEN_FLAWS } from '../src/ground/request-trace.js'
import { GREATEST_ID } from './accounts-file.js'
import { objectError } from './json-parameters.js'

/** As many rules as a server has at once. */
export const MOST_FAULTS = 1000
const LONGEST_BODY = 16_384
export const LONGEST_DELAY_MS = 600_000
const MOST_TURNS = 1_000_000_000

export const CONNECTION_FAULTS = ['reset', 'hang', 'close', 'cut', 'garbage', 'slow'] as const
export type ConnectionFault = (typeof CONNECTION_FAULTS)[number]

const [LEAST_STATUS, GREATEST_STATUS] = [200, 599]
/** They never have a body. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])

/** What names the fault in `x-emulated-fault` where it was not a rule. */
export const RESERVED_IDS = ['header', 'cookie'] as const

const ID = 'must have 1 to 64 letters, digits or ._-, and begin with a letter or digit'
const faultId = z.string(ID).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, ID)
export const faultPath = z.strictObject({ id: faultId.meta({ description: 'The rule.' }) })

const text = (most: number, description: string) =>
  z
    .string('must be a text')
    .min(1, 'must not be empty')
    .max(most, `must have at most ${most} characters`)
    .meta({ description })

function whole(least: number, most: number, description: string) {
  const message = `must be a whole number from ${least} to ${most}`
  return z.int(message).min(least, message).max(most, message).meta({ description })
}

function choice<const T extends readonly string[]>(values: T, description: string) {
  return z.enum(values, `must be one of ${values.join(', ')}`).meta({ description })
}

const match = z
  .strictObject(
    {
      route: text(200, 'The route, such as `/hms/pr/token`, with or without the final slash.').optional(),
      method: choice(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'], 'The method.').optional(),
      drm: choice(
        [...TOKEN_DRMS, CLEAR_KEY],
        'The DRM of the endpoint, or that an entitlement request names.',
      ).optional(),
      customer: whole(1, GREATEST_ID, 'The customer whose authenticator or token the request has.').optional(),
      environment: choice(ENVIRONMENTS, 'The environment that the request is for.').optional(),
      cookie: text(32, 'The cookie of the request, or of the token that it redeems.').optional(),
      kid: text(65, 'A KID that the request names: 32 hex digits, or `^` and a string.').optional(),
    },
    objectError,
  )
  .meta({ description: 'Which requests it acts on; every member is optional, and all have to match.' })

const delays = {
  delayMs: whole(0, LONGEST_DELAY_MS, 'Milliseconds to wait first. Combines with every other effect.').optional(),
  jitterMs: whole(0, LONGEST_DELAY_MS, 'Up to so many milliseconds more or less than `delayMs`.').optional(),
}

/** What excludes each other. */
const effects = {
  errorCode: z
    .int('must be a whole number')
    .meta({ description: 'A documented code of the endpoint, refused at the step at which the service says it.' })
    .optional(),
  status: whole(LEAST_STATUS, GREATEST_STATUS, 'An HTTP status, in place of the endpoint.').optional(),
  connection: choice(CONNECTION_FAULTS, 'What becomes of the connection.').optional(),
  database: choice(['down', 'slow'], 'How the database is.').optional(),
  token: choice(TOKEN_FLAWS, 'How the redemption of the issued token fails.').optional(),
  lost: z
    .literal(true, 'must be true')
    .meta({ description: 'The request succeeds, and its answer never arrives.' })
    .optional(),
}

const CONTENT_TYPE = /^[\w.+-]{1,60}\/[\w.+-]{1,60}(?:; ?[\w-]{1,40}=[\w.+-]{1,60})?$/
const answer = {
  retryAfter: whole(0, 86_400, 'Seconds, in the header Retry-After. With `status`.').optional(),
  body: z
    .string('must be a text')
    .max(LONGEST_BODY, `must have at most ${LONGEST_BODY} characters`)
    .meta({ description: 'The body. With `status`.' })
    .optional(),
  contentType: z
    .string('must be a content type')
    .regex(CONTENT_TYPE, 'must be a content type, such as application/json')
    .meta({ description: 'Of the body; `text/plain` without it. With `status`.' })
    .optional(),
}

type EffectName = keyof typeof effects
const EFFECTS = Object.keys(effects) as readonly EffectName[] // the table's own keys
const ANSWER = Object.keys(answer) as readonly (keyof typeof answer)[] // as above

export const faultEffect = z
  .strictObject({ ...effects, ...answer, ...delays }, objectError)
  .superRefine((effect, context) => {
    const refuse = (name: string, message: string) => context.addIssue({ code: 'custom', path: [name], message })
    const [first, second] = EFFECTS.filter(name => effect[name] !== undefined)
    if (second !== undefined) refuse(second, `does not go with ${first}: a rule has one effect, and a delay`)
    else if (first === undefined && effect.delayMs === undefined)
      context.addIssue({ code: 'custom', message: `must have one of ${EFFECTS.join(', ')} and delayMs` })
    for (const name of ANSWER)
      if (effect[name] !== undefined && effect.status === undefined) refuse(name, 'needs status')
    if (effect.contentType !== undefined && effect.body === undefined) refuse('contentType', 'needs body')
    if (effect.jitterMs !== undefined && effect.delayMs === undefined) refuse('jitterMs', 'needs delayMs')
    if (effect.body !== undefined && BODILESS.has(effect.status ?? 0))
      refuse('body', `does not go with status ${effect.status}, which has none`)
  })
  .meta({ description: 'One effect, and a delay if wanted.' })

const rule = {
  match: match.default({}),
  after: whole(0, MOST_TURNS, 'How many requests that match pass first.').default(0),
  times: whole(1, MOST_TURNS, 'How often it acts; without it, always.').optional(),
  probability: z
    .number('must be a number from 0 to 1')
    .min(0, 'must be a number from 0 to 1')
    .max(1, 'must be a number from 0 to 1')
    .default(1)
    .meta({ description: 'How likely it acts on a request that matches.' }),
  seed: whole(0, 0xffffffff, 'With the same seed, chance is the same each time.').optional(),
  effect: faultEffect,
}

/** A rule as it is given. */
export const newFault = z
  .strictObject(
    {
      id: faultId
        .refine(id => !RESERVED_IDS.some(reserved => reserved === id), `must not be ${RESERVED_IDS.join(' or ')}`)
        .optional()
        .meta({ description: 'Its name; without it, one is made.' }),
      ...rule,
    },
    objectError,
  )
  .meta({ description: 'A fault to inject.' })

export const newFaults = z
  .array(newFault, 'must be a list of rules')
  .max(MOST_FAULTS, `must have at most ${MOST_FAULTS} rules`)
  .superRefine((rules, context) => {
    const seen = new Set<string>()
    for (const [place, { id }] of rules.entries()) {
      if (id !== undefined && seen.has(id))
        context.addIssue({ code: 'custom', path: [place, 'id'], message: 'is there twice' })
      if (id !== undefined) seen.add(id)
    }
  })
  .meta({ description: 'All rules, in their order.' })

/** A rule as it is shown. */
export const shownFault = z.object({
  id: z.string(),
  ...rule,
  acted: z.int().meta({ description: 'How often it has acted.' }),
})

export const shownFaults = z.array(shownFault).meta({ description: 'The rules, in their order.' })

export type FaultEffect = z.output<typeof faultEffect>
export type FaultMatch = z.output<typeof match>
export type NewFault = z.output<typeof newFault>
/** The same as a caller writes it. */
export type FaultInput = z.input<typeof newFault>
export type FaultEffectInput = z.input<typeof faultEffect>
export type ShownFault = z.output<typeof shownFault>
