import * as z from 'zod'

/** A schema as OpenAPI has it; for values that are parsed from text, `io` chooses between the text and the parsed value. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output' = 'input'): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}
