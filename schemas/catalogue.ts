import { z } from 'zod'
import type { TokenDrm } from '../src/ground/drms.js'
import { customerCookie, guid } from './entitlement.js'
import { jsonParameters, objectError } from './json-parameters.js'
import { type KeyRequest, keyRequest } from './keys.js'
import { playreadyEntry } from './playready-entry.js'
import type { ContentPolicy } from './policy.js'
import { LONGEST_LIFE } from './restrictions.js'
import { jsonMoment } from './rules.js'

/** What a catalogue says of one content: its keys, what a licence allows, and who may have one. */
export interface Content {
  /** A GUID in lower case. */
  readonly contentID: string
  readonly drm: (typeof CONTENT_DRMS)[number]
  readonly keys: readonly KeyRequest[]
  readonly policy: ContentPolicy
  /** How long a token for it can be redeemed, in seconds. */
  readonly duration: number
  readonly viewers: 'everyone' | ReadonlySet<string>
  /** No viewer may have it from this moment on, in milliseconds since 1970. */
  readonly until?: number | undefined
  /** Of the devices registered under a cookie so many may have it: those that came first. */
  readonly devicesPerCookie?: number | undefined
}

const MOST_KEYS = 16

/** The policies of licences, with the names and rules of a token request. */
const policyEntries = { playready: playreadyEntry } satisfies Partial<
  Record<TokenDrm, z.ZodType<ContentPolicy, unknown>>
>
const CONTENT_DRMS = ['playready'] as const
export const policyEntry = policyEntries.playready

const keyEntry = jsonParameters({
  group: keyRequest,
  description: 'A key: given (contentKey), wrapped (ek with its kek), or in the key storage (kek alone).',
  written: {
    contentKey: { description: 'The content encryption key: 32 hex digits. Not with `kek`.' },
    kek: { description: 'The key that unwraps `ek` (RFC 3394), or the wrapped key in the key storage: 32 hex digits.' },
  },
  relations: { oneOf: [{ required: ['contentKey'] }, { required: ['kek'] }] },
  read: key => key,
})

const keyEntries = z
  .array(keyEntry, 'must be a list of keys')
  .min(1, 'must have at least one key')
  .max(MOST_KEYS, `must have at most ${MOST_KEYS} keys`)
  .superRefine((keys, context) => {
    if (keys.length === 1) return
    const kids = keys.map(({ kid }) => kid)
    for (const [index, kid] of kids.entries())
      if (kids.indexOf(kid) < index)
        context.addIssue({ code: 'custom', path: [index, 'kid'], message: 'is the kid of another key' })
  })
  .meta({ description: 'The keys of the content, which one token carries together.' })

const viewers = z
  .union([z.literal('everyone'), z.array(customerCookie)], 'must be "everyone", or a list of viewers as texts')
  .meta({
    description: '`everyone`, or the cookies of those who may have it.',
    examples: ['everyone', ['viewer-4711']],
  })
  .transform(given => (given === 'everyone' ? given : new Set(given)))

const until = jsonMoment('Nobody may have it from this moment on: RFC 3339 with `Z`.')

/** One content of a catalogue, and where its policy comes from. */
export function entryWith<P extends z.ZodType<ContentPolicy, unknown>>(policy: P) {
  return z
    .strictObject(
      {
        contentID: guid
          .meta({
            description: 'The GUID that the content got when it was packaged, in either case.',
            examples: ['3f2504e0-4f89-11d3-9a0c-0305e82c3301'],
          })
          .transform(text => text.toLowerCase()),
        drm: z
          .enum(CONTENT_DRMS, `must be ${CONTENT_DRMS.join(' or ')}`)
          .default('playready')
          .meta({ description: 'The DRM.' }),
        keys: keyEntries,
        policy,
        duration: wholeNumber(1, LONGEST_LIFE / 1000).meta({
          description: 'How many seconds a token for it can be redeemed: 1 to 30 days.',
          examples: [3600],
        }),
        viewers,
        until: until.optional(),
        devicesPerCookie: wholeNumber(1, 1000).optional().meta({
          description: 'Of the devices registered under a cookie so many may have it: those that came first.',
        }),
      },
      objectError,
    )
    .meta({ description: 'A content: its keys, what a licence allows, and who may have one.' })
}

/** One content with a policy of its own: as an administrator adds it, or a customer's webhook returns it. Reads a `Content`. */
export const contentEntry = entryWith(policyEntry)

export type ContentEntry = z.input<typeof contentEntry>

/** Short enough that a key is none. */
const POLICY_NAME = 'must have 1 to 30 characters: letters, digits, _ and -, the first a letter'
export const policyName = z.string(POLICY_NAME).regex(/^[A-Za-z][\w-]{0,29}$/, POLICY_NAME)

/** The file without what stands in its policies and contents, which are read one by one. */
export const catalogueOutline = catalogueWith(z.string(), z.unknown(), z.unknown())

/** The whole file, for those who write it. */
export const catalogueFile = catalogueWith(
  policyName,
  policyEntry,
  entryWith(
    z
      .union([policyName.meta({ description: 'The name of one of `policies`.' }), policyEntry])
      .transform((_given): ContentPolicy => {
        throw new Error('describes a file, and reads none')
      })
      .meta({ description: 'What a licence allows: the name of one of `policies`, or a policy of its own.' }),
  ),
).meta({
  title: 'Catalogue of an ExpressPlay token backend',
  description: 'CATALOGUE_FILE: the contents that the entitlement service grants, and to whom.',
})

/** The same as JSON Schema, in the draft that editors know best. */
export function catalogueJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(catalogueFile, { io: 'input', target: 'draft-7' })
}

function catalogueWith<N extends z.ZodString, P extends z.ZodType, C extends z.ZodType>(
  name: N,
  policy: P,
  content: C,
) {
  return z.strictObject(
    {
      $schema: z.string('must be a text').optional().meta({ description: 'Where this schema is, for editors.' }),
      policies: z
        .record(name, policy, 'must be an object')
        .optional()
        .meta({ description: 'Policies by names, for contents that have the same.' }),
      contents: z.array(content, 'must be a list of contents').meta({ description: 'No contentID stands here twice.' }),
    },
    objectError,
  )
}

function wholeNumber(least: number, most: number) {
  const allowed = `must be a whole number from ${least} to ${most}`
  return z.int(allowed).min(least, allowed).max(most, allowed)
}
