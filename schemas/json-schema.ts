import { z } from 'zod'

/** A schema as OpenAPI has it; for what is read from a text, `io` tells the text's form from the form of what is read. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output' = 'input'): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}
