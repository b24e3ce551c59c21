import * as z from 'zod'
import { TOKEN_DRMS, type TokenDrm } from '../src/ground/drms.js'
import {
  type ContentLicence,
  DEFAULT_DRM,
  type EntryIssue,
  entryFields,
  fault,
  isObject,
  isTokenDrm,
  OTHER_DRM,
} from './content-entry.js'
import { objectError } from './json-parameters.js'
import { jsonSchema } from './json-schema.js'
import { type PolicyInput, policyEntries } from './policy-entries.js'

/** Short enough that a key is none. */
const POLICY_NAME = 'must have 1 to 30 characters: letters, digits, _ and -, the first a letter'
export const policyName = z.string(POLICY_NAME).regex(/^[A-Za-z][\w-]{0,29}$/, POLICY_NAME)

/** A named policy of the file, which says its own DRM. */
export function readNamedPolicy(given: unknown): ContentLicence | readonly EntryIssue[] {
  if (!isObject(given)) return readNamed(DEFAULT_DRM, given)
  const { drm = DEFAULT_DRM, ...policy }: PolicyInput = { ...given }
  return isTokenDrm(drm) ? readNamed(drm, policy) : [fault(['drm'], OTHER_DRM)]
}

function readNamed(drm: TokenDrm, given: unknown): ContentLicence | readonly EntryIssue[] {
  const { data: policy, error } = policyEntries[drm].safeParse(given)
  return policy === undefined ? (error?.issues ?? []) : { drm, policy }
}

/** The file without what stands in its policies and contents, which are read one by one. */
export const catalogueOutline = catalogueWith(z.string(), z.unknown(), z.unknown())

/** The file as JSON Schema, in the draft that editors know best. */
export function catalogueJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(catalogueFile, { io: 'input', target: 'draft-7' }), definitions }
}

/** JSON Schema's own `if` and `then`. */
function conditional(condition: object, consequence: object): object {
  // biome-ignore lint/suspicious/noThenProperty: JSON Schema calls it so
  return { if: condition, then: consequence }
}

/** By the field `drm` editors know which policy is meant, and show the faults of that one alone. */
function byDrm(schemaOf: (drm: TokenDrm) => object): object {
  const isOf = (drm: TokenDrm) => ({
    properties: { drm: { const: drm } },
    required: drm === DEFAULT_DRM ? [] : ['drm'],
  })
  return { allOf: TOKEN_DRMS.map(drm => conditional(isOf(drm), schemaOf(drm))) }
}

const definitions = Object.fromEntries(
  TOKEN_DRMS.flatMap(drm => {
    const { properties, ...others } = jsonSchema(policyEntries[drm])
    const named = { drm: { description: 'The DRM of the policy.', enum: TOKEN_DRMS, default: DEFAULT_DRM } }
    return [
      [drm, { properties, ...others }],
      [`named-${drm}`, { ...others, properties: { ...named, ...Object(properties) } }],
    ]
  }),
)

/** The whole file, for those who write it. */
const catalogueFile = catalogueWith(
  policyName,
  z.unknown().meta({
    properties: { drm: { enum: TOKEN_DRMS } },
    ...byDrm(drm => ({ $ref: `#/definitions/named-${drm}` })),
  }),
  entryFields(
    z
      .union([
        policyName.meta({ description: 'The name of one of `policies`.' }),
        z.looseObject({}).meta({ description: 'A policy of its own.' }),
      ])
      .meta({ description: 'What a licence allows: the name of one of `policies`, or a policy of its own.' }),
    byDrm(drm => ({ properties: { policy: conditional({ type: 'object' }, { $ref: `#/definitions/${drm}` }) } })),
  ).meta({ oneOf: [{ required: ['policy'] }, { required: ['licences'] }] }),
).meta({
  title: 'Catalogue of an ExpressPlay token backend',
  description: 'CATALOGUE_FILE: the contents that the entitlement service grants, and to whom.',
})

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
