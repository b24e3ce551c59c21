import * as z from 'zod'
import { KeyStorageError } from '../src/errors/key-storage-error.js'
import { kid as kidRule } from './keys.js'
import type { RawParameters } from './sorting.js'

/** KIDs that one request may ask for. */
const MOST_KIDS = 100

export const kid = z
  .string('must be a text')
  .transform((text, context) => {
    const read = kidRule.safeParse(text)
    if (read.success) return read.data
    context.addIssue({ code: 'custom', message: 'must be 32 hexadecimal digits, or ^ and 1 to 64 characters' })
    return z.NEVER
  })
  .meta({
    description: 'The key id: 32 hex digits, or `^` and a string of 1 to 64 characters that stands for one.',
    examples: ['^channel-1.2026-06-01'],
  })

export const kek = hex(32).meta({
  description: 'The key that wraps and unwraps (RFC 3394): 32 hex digits. It is never stored.',
  examples: ['000102030405060708090a0b0c0d0e0f'],
})

const material = {
  k: hex(32)
    .optional()
    .meta({
      description: 'The key in clear: 32 hex digits. It needs `kek`, and stands without `ek`.',
      examples: ['00112233445566778899aabbccddeeff'],
    }),
  ek: hex(48).optional().meta({ description: 'The wrapped key: 48 hex digits. It stands without `k`.' }),
}

const description = {
  kekId: text(256).meta({ description: 'A name of the KEK, kept as it is. Without one it follows from `kek`.' }),
  info: text(4096).meta({ description: 'Anything.' }),
  contentId: text(1024).meta({ description: 'What the key encrypts.' }),
  expiration: z.iso
    .datetime({ offset: true, error: 'must be ISO 8601 with seconds and a zone, such as 2030-12-31T23:59:59Z' })
    .transform(moment => Date.parse(moment))
    .nullish()
    .meta({ description: 'From this moment on the key is gone.', examples: ['2030-12-31T23:59:59Z'] }),
}

/** A key is given in clear or wrapped. */
const notBoth = { path: ['ek'], error: 'must not stand beside k' }
const isNotBoth = ({ k, ek }: { k?: unknown; ek?: unknown }) => k === undefined || ek === undefined

/** What a POST says of a key. What is absent is made by the server. */
export const newKey = z.object({ kid: kid.optional(), ...material, ...description }).refine(isNotBoth, notBoth)

const newKid = z.object({ kid: kid.optional() })

/** What a PUT changes of a key: `null` takes away, what is absent stays. */
export const keyChange = z.object({ ...material, ...description }).refine(isNotBoth, notBoth)

/** A key as it is answered. */
export const keyObject = z
  .object({
    kid: z.string().meta({
      description: '32 hex digits; as all hex in lower case, or in upper case with KEYSTORE_STYLE=expressplay.',
    }),
    k: z.string().optional().meta({ description: 'The key in clear, when a `kek` opened it.' }),
    ek: z.string().optional().meta({ description: 'The wrapped key; with KEYSTORE_STYLE=expressplay always.' }),
    kekId: z.string().optional(),
    info: z.string().optional(),
    contentId: z.string().optional(),
    expiration: z.string().optional().meta({ description: 'In UTC.' }),
    lastUpdate: z.string().meta({ description: 'In UTC, to the second.', examples: ['2026-06-01T12:00:00Z'] }),
  })
  .meta({ description: 'A key.' })

export const keyCount = z.object({ keyCount: z.int() }).meta({ description: 'How many keys are stored.' })

export const keystoreError = z
  .object({
    code: z.int().meta({ description: 'A code of SKM, or the token endpoint’s where it is about the customer.' }),
    message: z.string(),
  })
  .meta({ description: 'An error of the key storage.' })

export type NewKey = z.output<typeof newKey>
export type KeyChange = z.output<typeof keyChange>
export type KeyObject = z.output<typeof keyObject>
export type KeyCount = z.output<typeof keyCount>
export type KeystoreError = z.output<typeof keystoreError>

export function readKek(query: RawParameters): Buffer | undefined {
  return readParameter(kek.optional(), query.kek, 'kek')
}

/** The one KID of a path. A comma separates KIDs there, so no `^string` has one. */
export function readKid(text: string): string {
  const [kid = '', ...others] = readKids(text)
  if (others.length > 0) throw new KeyStorageError('parameter', 'This request takes one kid')
  return kid
}

export function readKids(text: string): string[] {
  const kids = text.split(',')
  if (kids.length > MOST_KIDS) throw new KeyStorageError('parameter', `One request takes at most ${MOST_KIDS} kids`)
  return kids.map(one => readParameter(kid, one, 'kid'))
}

/** The KID that a new key shall have, if it says so. */
export function readNewKid(body: unknown): string | undefined {
  return readBody(newKid, body).kid
}

export function readNewKey(body: unknown): NewKey {
  return readBody(newKey, body)
}

export function readKeyChange(body: unknown): KeyChange {
  return readBody(keyChange, body)
}

function readParameter<T extends z.ZodType>(schema: T, value: unknown, name: string): z.output<T> {
  const { success, data, error } = schema.safeParse(value)
  if (success) return data
  throw new KeyStorageError('parameter', `${name} ${error.issues[0]?.message}`)
}

/** A missing body counts as an empty object. A body that is no object has the wrong syntax; otherwise its first wrong field is reported. */
function readBody<T extends z.ZodType>(schema: T, body: unknown = {}): z.output<T> {
  const { success, data, error } = schema.safeParse(body)
  if (success) return data
  const [fault] = error.issues
  const [field] = fault?.path ?? []
  if (field === undefined) throw new KeyStorageError('syntax', 'The body must be a JSON object')
  throw new KeyStorageError('parameter', `${String(field)} ${fault?.message}`)
}

export function hex(digits: number) {
  const rule = `must be ${digits} hexadecimal digits`
  return z
    .string(rule)
    .regex(new RegExp(`^[0-9A-Fa-f]{${digits}}$`), rule)
    .transform(text => Buffer.from(text, 'hex'))
}

/** A text that every database keeps as it is: PostgreSQL has no NUL, and none has half of a character. */
function text(most: number) {
  const rule = `must be a text of at most ${most} characters, without NUL`
  return z
    .string(rule)
    .max(most, rule)
    .refine(given => given.isWellFormed() && !given.includes('\0'), rule)
    .nullish()
}
