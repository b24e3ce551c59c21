import * as z from 'zod'
import { type Fault, firstFault } from '../src/errors/error-catalogue.js'
import { TokenError } from '../src/errors/public-error.js'
import { jsonSchema } from './json-schema.js'
import { metaOf } from './rules.js'
import type { ParameterText } from './sorting.js'

type Texts = Readonly<Record<string, ParameterText>>
type Shape = Readonly<Record<string, z.ZodType>>

/** A parameter of a token request as JSON has it. */
export type JsonParameter = string | number | boolean | readonly string[]

/** What is said of a parameter here that the token request does not say. */
export interface WrittenParameter {
  readonly description?: string
  /** The least and the greatest, of a parameter that may be written as a number. */
  readonly number?: readonly [number, number]
}

/** Parameters that are read together: those of a key, or of a DRM's policy. */
interface Group<S extends Shape, V> {
  readonly parameters: S
  /** `undefined` with what is wrong added to `faults`. */
  read(texts: Texts, faults: Fault[], suffix: string, whole: Texts): V | undefined
}

export interface JsonParametersOptions<S extends Shape, V, T> {
  readonly group: Group<S, V>
  readonly description: string
  readonly written?: Readonly<Record<string, WrittenParameter>>
  /** Relations that an editor can show, as keywords of JSON Schema. */
  readonly relations?: Readonly<Record<string, unknown>>
  readonly read: (values: V, texts: Texts) => T
}

/**
 * Parameters of a token request as an object in JSON: the same names and the same rules, which are those of their
 * group. What can be a number or a truth may be written as one, and what may be repeated as a list. A fault has the words
 * of its documented error. Made when it is first used, so that a start does not wait for it.
 */
export function jsonParameters<S extends Shape, V, T>(options: JsonParametersOptions<S, V, T>) {
  return z.lazy(() => schemaOf(options))
}

function schemaOf<S extends Shape, V, T>(options: JsonParametersOptions<S, V, T>) {
  const { group, description, written = {}, relations, read } = options
  const shape = group.parameters
  const repeatable = repeatableOf(shape)
  const fields = Object.entries(shape).map(([name, schema]) => [name, field(schema, written[name])] as const)
  const required = Object.keys(shape).filter(name => shape[name]?.safeParse(undefined).success === false)
  return z
    .strictObject(Object.fromEntries(fields), objectError)
    .meta({ description, required, ...relations })
    .transform((given, context): T => {
      const texts: Record<string, ParameterText> = {}
      for (const name in given) {
        const value = given[name]
        if (value !== undefined) texts[name] = repeatable.has(name) ? [value].flat().map(String) : String(value)
      }
      const faults: Fault[] = []
      const values = group.read(texts, faults, '', {})
      if (values !== undefined) return read(values, texts)
      for (const [name, message] of inWords(faults)) context.addIssue({ code: 'custom', path: [name], message })
      return z.NEVER
    })
}

/** Those that are read as lists. */
function repeatableOf(shape: Shape): ReadonlySet<string> {
  return new Set(Object.keys(shape).filter(name => shape[name] !== undefined && metaOf(shape[name])['x-repeatable']))
}

/** What is said where no object is, and leaves what else is wrong with one to zod. */
export const objectError = {
  error: ({ code, input }: { code?: string | undefined; input?: unknown }) => {
    if (code === 'invalid_type') return input === undefined ? 'must be given' : 'must be an object'
    return undefined
  },
}

/** Of each parameter the first fault, in the catalogue's order. */
function inWords(faults: readonly Fault[]): [string, string][] {
  const names = new Set(faults.map(({ parameter = '' }) => parameter))
  return [...names].map(name => {
    const fault = firstFault(faults.filter(({ parameter = '' }) => parameter === name))
    return [name, fault === undefined ? 'is wrong' : new TokenError(fault).message]
  })
}

/** Whether one must be there is the group's rule, so none must be here. */
function field(
  schema: z.ZodType,
  { number, description }: WrittenParameter = {},
): z.ZodType<JsonParameter | undefined, JsonParameter | undefined> {
  const { description: rule, example, 'x-repeatable': isRepeatable } = metaOf(schema)
  const { description: _, example: __, 'x-error-code': ___, default: preset, ...text } = jsonSchema(schema)
  const said = { description: description ?? rule, ...(preset !== undefined && { default: preset }) }
  if (isRepeatable) {
    const { 'x-repeatable': ____, ...list } = text
    const oneOrMore = z.union([z.string(), z.array(z.string())], 'must be a text, or a list of texts').optional()
    return oneOrMore.meta({ ...said, anyOf: [list, list.items], examples: [[example]] })
  }
  const others = Array.isArray(text.enum) ? text.enum.flatMap(plainForm) : []
  const mixed = z.union([z.string(), z.number(), z.boolean()], 'must be a text, a number, true or false').optional()
  if (number !== undefined) {
    const [minimum, maximum] = number
    return mixed.meta({ ...said, anyOf: [{ type: 'integer', minimum, maximum }, text], examples: [Number(example)] })
  }
  if (others.length > 0) return mixed.meta({ ...said, anyOf: [{ enum: others }, text], examples: [others[0]] })
  return z
    .string('must be a text')
    .optional()
    .meta({ ...text, ...said, examples: [example] })
}

/** `150` and `true`, but not `00000001`: the number or the truth that has this text. */
function plainForm(text: unknown): unknown[] {
  try {
    const value: unknown = JSON.parse(String(text))
    return String(value) === text ? [value] : []
  } catch {
    return []
  }
}
