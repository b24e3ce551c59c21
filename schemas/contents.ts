import * as z from 'zod'
import { StatusError } from '../src/errors/public-error.js'
import { TOKEN_DRMS } from '../src/ground/drms.js'
import { read } from './admin.js'
import { type Content, type ContentEntry, contentEntry, contentFields } from './content-entry.js'
import { guid } from './entitlement.js'

const contentID = guid.transform(text => text.toLowerCase())
/** As many as can be opened without keeping others waiting. */
const MOST_OF_A_PAGE = 100
const LIMIT = `must be a whole number from 1 to ${MOST_OF_A_PAGE}`

export const contentPath = z.strictObject({
  contentID: contentID.meta({ description: 'The GUID of the content, in either case.' }),
})

/** What is put at a path, which says the id already. */
export const newContent = contentFields.partial({ contentID: true })

export const contentPageQuery = z.strictObject({
  after: contentID
    .optional()
    .meta({ description: 'Only contents whose id comes behind this one: `next` of the page before.' }),
  limit: z
    .string(LIMIT)
    .regex(/^\d{1,3}$/, LIMIT)
    .meta({ type: 'integer', minimum: 1, maximum: MOST_OF_A_PAGE })
    .transform(Number)
    .pipe(z.int().min(1, LIMIT).max(MOST_OF_A_PAGE, LIMIT))
    .default(MOST_OF_A_PAGE)
    .meta({ description: 'The most contents on a page.' }),
})

/** Where a key comes from; the key itself is never shown. */
const source = z.enum(['contentKey', 'wrapped', 'keystore']).meta({
  description: 'Given as it is (`contentKey`), wrapped with its KEK (`wrapped`), or in the key storage (`keystore`).',
})
const keys = z.array(
  z.object({ kid: z.string(), algId: z.enum(['aesctr', 'aescbc']), iv: z.string().optional(), source }),
)
const policy = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]))
  .meta({ description: 'As it was put.' })
const drm = z.enum(TOKEN_DRMS)
const moment = z.string().meta({ format: 'date-time' })
const { duration, devicesPerCookie } = contentFields.shape

const always = { contentID: z.string().meta({ description: 'In lower case.' }), updatedAt: moment }
const readable = {
  ...always,
  readable: z.literal(true),
  drm: drm.optional().meta({ description: 'That of `policy`, of a content that was put with one.' }),
  keys,
  policy: policy.optional(),
  licences: z
    .array(z.object({ drm, policy }))
    .optional()
    .meta({ description: 'Instead of `drm` and `policy`, of a content that was put with several.' }),
  duration,
  until: moment.optional(),
  devicesPerCookie,
}
const unreadable = z.object({ ...always, readable: z.literal(false) }).meta({
  description: 'It does not open: TOKEN_KEYS is without the key that it is sealed with, or a newer version has put it.',
})

export const shownContent = z.discriminatedUnion('readable', [
  z.object({ ...readable, viewers: z.union([z.literal('everyone'), z.array(z.string())]) }),
  unreadable,
])

const listedContent = z.discriminatedUnion('readable', [
  z.object({
    ...readable,
    viewers: z
      .union([z.literal('everyone'), z.int()])
      .meta({ description: 'Or how many there are; the content itself says who.' }),
  }),
  unreadable,
])

export const contentPage = z.object({
  contents: z.array(listedContent),
  next: z.string().nullable().meta({ description: '`after` for the next page; null: there is none.' }),
})

export type ContentPageQuery = z.output<typeof contentPageQuery>
export type ShownContent = z.output<typeof shownContent>
export type ListedContent = z.output<typeof listedContent>
export type ContentPage = z.output<typeof contentPage>

/** An entry as it was given, under the id of its path, and the content that it describes. */
export interface ContentOrder {
  readonly entry: ContentEntry
  readonly content: Content
}

/** What an administrator puts at a path, which says the id; or a refusal that says every fault of it. */
export function readContentOrder(contentID: string, body: unknown): ContentOrder {
  const content = read(contentEntry, isObject(body) ? { ...body, contentID: body.contentID ?? contentID } : body)
  if (content.contentID !== contentID)
    throw new StatusError(400, 'contentID: must be left out, or be that of the path', 'contentID')
  return { entry: { ...(body as ContentEntry), contentID }, content } // the schema has just read it as one
}

function isObject(body: unknown): body is Record<string, unknown> {
  return typeof body === 'object' && body !== null && !Array.isArray(body)
}
