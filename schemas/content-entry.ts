import * as z from 'zod'
import { DRM_TITLES, TOKEN_DRMS, type TokenDrm } from '../src/ground/drms.js'
import { compiledOnUse } from './compiled.js'
import { customerCookie, guid } from './entitlement.js'
import { catalogueIv } from './fairplay.js'
import { ParameterGroup } from './group.js'
import { jsonParameters, objectError } from './json-parameters.js'
import { type KeyRequest, keyRelations, keyRequest } from './keys.js'
import type { ContentPolicy } from './policy.js'
import { policyEntries } from './policy-entries.js'
import { LONGEST_LIFE } from './restrictions.js'
import { jsonMoment } from './rules.js'

/** What a catalogue says of one content: its keys, what its licences allow, and who may have one. */
export interface Content {
  /** A GUID in lower case. */
  readonly contentID: string
  readonly keys: readonly ContentKey[]
  /** At least one, and one for each DRM. The first is for a viewer who names no DRM. */
  readonly licences: readonly ContentLicence[]
  /** How long a token for it can be redeemed, in seconds. */
  readonly duration: number
  readonly viewers: 'everyone' | ReadonlySet<string>
  /** No viewer may have it from this moment on, in milliseconds since 1970. */
  readonly until?: number | undefined
  /** How many of the devices registered under a cookie may have it: the first ones. */
  readonly devicesPerCookie?: number | undefined
}

export type ContentKey = KeyRequest & {
  /** The initialisation vector, for FairPlay. */
  readonly iv?: string | undefined
}

export interface ContentLicence {
  readonly drm: TokenDrm
  readonly policy: ContentPolicy
}

const MOST_KEYS = 16
export const DEFAULT_DRM = 'playready'
export const OTHER_DRM = `must be ${TOKEN_DRMS.join(' or ')}`

const keyEntry = jsonParameters({
  group: new ParameterGroup({ ...keyRequest.parameters, iv: catalogueIv }, keyRelations(-5007)),
  description: 'A key: given (contentKey), wrapped (ek with its kek), or in the key storage (kek alone).',
  written: {
    contentKey: { description: 'The content encryption key: 32 hex digits. Not with `kek`.' },
    kek: { description: 'The key that unwraps `ek` (RFC 3394), or the wrapped key in the key storage: 32 hex digits.' },
    algId: { description: 'How the content is encrypted, for PlayReady: `aesctr` (cenc) or `aescbc` (cbcs).' },
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

const until = jsonMoment('The moment from which no viewer may have it: RFC 3339 with `Z`.')

const drm = z
  .enum(TOKEN_DRMS, OTHER_DRM)
  .optional()
  .meta({
    description: `The DRM of the policy: that of a named one, or else \`${DEFAULT_DRM}\`.`,
  })

/** The fields of one content, with what its policies are written as; `byDrm` is how a schema chooses among them. */
export function entryFields<P extends z.ZodType>(policy: P, byDrm: object = {}) {
  const fields = z.strictObject(
    {
      contentID: guid
        .meta({
          description: 'The GUID that the content got when it was packaged, in either case.',
          examples: ['3f2504e0-4f89-11d3-9a0c-0305e82c3301'],
        })
        .transform(text => text.toLowerCase()),
      drm,
      keys: keyEntries,
      policy: policy.optional(),
      licences: z
        .array(z.strictObject({ drm, policy }, objectError).meta({ ...byDrm }), 'must be a list of licences')
        .min(1, 'must have at least one licence')
        .optional()
        .meta({
          description: 'Instead of `drm` and `policy`, for several DRMs. The first is for a viewer who names no DRM.',
        }),
      duration: wholeNumber(1, LONGEST_LIFE / 1000).meta({
        description: 'How many seconds a token for it can be redeemed: 1 to 30 days.',
        examples: [3600],
      }),
      viewers,
      until: until.optional(),
      devicesPerCookie: wholeNumber(1, 1000).optional().meta({
        description: 'How many of the devices registered under a cookie may have it: the first ones.',
      }),
    },
    objectError,
  )
  return fields.meta({ description: 'A content: its keys, what its licences allow, and who may have one.', ...byDrm })
}

/** One content as an administrator or a webhook writes it: with policies of its own. */
export const contentFields = entryFields(
  z
    .union([policyEntries.playready, policyEntries.widevine, policyEntries.fairplay, policyEntries.marlin])
    .meta({ description: 'What a licence allows: the parameters of a token request of this DRM.' }),
)

export type ContentEntry = z.input<typeof contentFields>

/** What stands outside of policies: they are read by their DRMs. */
const fieldsOutsidePolicies = compiledOnUse(() => entryFields(z.unknown().optional()))

/** What is wrong with an entry, or a part of it. */
export type EntryIssue = z.core.$ZodIssue

/** A licence as it is written. */
export interface LicenceInput {
  readonly drm: TokenDrm | undefined
  readonly policy: unknown
}

/** Reads a licence, or says what is wrong with it; `undefined` where that has been said already. */
export type ReadLicence = (written: LicenceInput) => ContentLicence | readonly EntryIssue[] | undefined

/** A policy of its own. */
export const readOwnPolicy: ReadLicence = ({ drm = DEFAULT_DRM, policy }) => {
  const read = policyEntries[drm].safeParse(policy)
  if (read.success) return { drm, policy: read.data }
  return read.error.issues.map(issue => ({ ...issue, path: ['policy', ...issue.path] }))
}

/**
 * One content from JSON, or everything that is wrong with it. Nothing here depends on the time: an accepted entry can
 * always be read again.
 */
export function readEntry(given: unknown, readLicence: ReadLicence): Content | readonly EntryIssue[] {
  const fields = fieldsOutsidePolicies().safeParse(given)
  const { licences, issues } = licencesIn(given, readLicence)
  if (!fields.success) return [...fields.error.issues, ...issues]
  if (issues.length > 0) return issues
  const { contentID, keys, duration, viewers, until, devicesPerCookie } = fields.data
  const missing = licences.some(({ drm }) => drm === 'fairplay') ? keysWithoutIv(keys) : []
  return missing.length > 0 ? missing : { contentID, keys, licences, duration, viewers, until, devicesPerCookie }
}

/** The same as a schema, for a content with policies of its own. */
export const contentEntry = z.unknown().transform((given, context): Content => {
  const read = readEntry(given, readOwnPolicy)
  if (!isIssues(read)) return read
  for (const issue of read) addIssue(context, issue)
  return z.NEVER
})

export function isIssues<T>(read: T | readonly EntryIssue[] | undefined): read is readonly EntryIssue[] {
  return Array.isArray(read)
}

function licencesIn(given: unknown, readLicence: ReadLicence) {
  const issues: EntryIssue[] = []
  const licences: ContentLicence[] = []
  const add = (written: unknown, path: readonly (string | number)[]) => {
    const { drm, policy }: { drm?: unknown; policy?: unknown } = Object(written) // of any shape
    // Another DRM is a fault of the fields.
    if (drm !== undefined && !isTokenDrm(drm)) return
    const read = readLicence({ drm, policy })
    if (isIssues(read)) issues.push(...read.map(issue => ({ ...issue, path: [...path, ...issue.path] })))
    else if (read !== undefined && licences.some(other => other.drm === read.drm))
      issues.push(fault([...path], `is a second licence for ${read.drm}`))
    else if (read !== undefined) licences.push(read)
  }
  const { licences: several, drm, policy }: { licences?: unknown; drm?: unknown; policy?: unknown } = Object(given)
  if (several === undefined && isObject(given)) add(given, [])
  if (Array.isArray(several))
    for (const [index, written] of several.entries()) if (isObject(written)) add(written, ['licences', index])
  if (several !== undefined)
    for (const [name, beside] of Object.entries({ drm, policy }))
      if (beside !== undefined) issues.push(fault([name], 'must be left out beside licences'))
  return { licences, issues }
}

function keysWithoutIv(keys: readonly ContentKey[]): EntryIssue[] {
  return keys.flatMap(({ iv }, index) =>
    iv === undefined ? [fault(['keys', index, 'iv'], 'must be given for FairPlay')] : [],
  )
}

export function fault(path: (string | number)[], message: string): EntryIssue {
  return { code: 'custom', path, message, input: undefined }
}

function addIssue(context: z.RefinementCtx, issue: EntryIssue): void {
  const { path, message } = issue
  if (issue.code === 'unrecognized_keys')
    context.addIssue({ code: issue.code, keys: issue.keys, path: [...path], input: {} })
  else context.addIssue({ code: 'custom', path: [...path], message })
}

export function isObject(given: unknown): given is object {
  return typeof given === 'object' && given !== null && !Array.isArray(given)
}

export function isTokenDrm(drm: unknown): drm is TokenDrm {
  return typeof drm === 'string' && Object.hasOwn(DRM_TITLES, drm)
}

function wholeNumber(least: number, most: number) {
  const allowed = `must be a whole number from ${least} to ${most}`
  return z.int(allowed).min(least, allowed).max(most, allowed)
}
