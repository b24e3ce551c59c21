import * as z from 'zod'
import type { Content } from '../http/operation.js'

export type Json = Record<string, unknown>

/** zod schemas as JSON Schema; those with a name become components, where they are first met. */
export class JsonSchemas {
  readonly components: Json = {}
  readonly #names: ReadonlyMap<z.ZodType, string>

  constructor(named: Readonly<Record<string, z.ZodType>>) {
    this.#names = new Map(Object.entries(named).map(([name, schema]) => [schema, name]))
  }

  of(schema: Content['schema']): Json {
    if (schema === 'text') return { type: 'string' }
    if (schema === 'bytes') return { type: 'string', format: 'binary' }
    return this.#referenceTo(schema) ?? this.#write(schema)
  }

  #referenceTo(schema: z.ZodType): Json | undefined {
    const name = this.#names.get(schema)
    if (name === undefined) return undefined
    this.components[name] ??= this.#write(schema)
    return { $ref: `#/components/schemas/${name}` }
  }

  #write(root: z.ZodType): Json {
    const { $schema, ...written } = z.toJSONSchema(root, {
      io: 'input',
      unrepresentable: 'any',
      override: ({ zodSchema, jsonSchema }) => {
        const schema = zodSchema as unknown as z.ZodType // ours are all of zod's classic API
        const reference = schema === root ? undefined : this.#referenceTo(schema)
        if (reference !== undefined) {
          for (const name of Object.keys(jsonSchema)) delete jsonSchema[name]
          Object.assign(jsonSchema, reference)
        }
        makePortable(jsonSchema)
      },
    })
    return written
  }
}

/** What a generator for another language may not understand is left out or said in other words. */
function makePortable(schema: Json): void {
  for (const ours of ['x-error-code', 'x-repeatable']) delete schema[ours]
  const { pattern, type, allOf, anyOf, example } = schema
  // That of a parameter which may be repeated is one of its values.
  if (type === 'array' && typeof example === 'string') schema.example = [example]
  if (Array.isArray(anyOf)) {
    const choices = withoutTexts(anyOf)
    const [only, ...others] = choices
    if (only !== undefined && others.length === 0) {
      delete schema.anyOf
      Object.assign(schema, only)
    } else schema.anyOf = choices
  }
  // Of several patterns generators make no type at all. The description has the rule.
  if (Array.isArray(allOf) && allOf.every(isPattern)) delete schema.allOf
  if (typeof pattern !== 'string') return
  // Unicode's classes of characters. How long a text may be can be said without them.
  const [, minLength, maxLength] = /\\p\{.*\{(\d+),(\d+)\}\$$/.exec(pattern) ?? []
  if (maxLength !== undefined) Object.assign(schema, { minLength: Number(minLength), maxLength: Number(maxLength) })
  if (pattern.includes('\\p{') || type === 'integer') delete schema.pattern
}

function isPattern(schema: Json): boolean {
  return Object.keys(schema).join() === 'pattern'
}

/** Of values that may be written as they are or as texts only the first: generators give both the same name. */
function withoutTexts(choices: readonly Json[]): Json[] {
  const plain = new Set(
    choices.flatMap(({ enum: values, type }) =>
      type === undefined && Array.isArray(values) ? values.map(String) : [],
    ),
  )
  return choices.flatMap(choice => {
    const { enum: values, type } = choice
    if (type !== 'string' || !Array.isArray(values)) return [choice]
    const others = values.filter(value => !plain.has(value))
    return others.length === 0 ? [] : [{ ...choice, enum: others }]
  })
}
