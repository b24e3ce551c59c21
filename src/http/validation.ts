import type { FastifyInstance, FastifyTypeProvider } from 'fastify'
import type * as z from 'zod'

/** The types of a route's requests, by the zod schemas that the route has. */
export interface ZodTypes extends FastifyTypeProvider {
  readonly validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown
}

/** Reads what a schema describes, or throws the refusal. */
export type ReadWith = <T>(schema: z.ZodType<T>, content: unknown) => T

/** The zod schemas of this plugin's routes read its requests, with this function. */
export function validateRequests(app: FastifyInstance, read: ReadWith): void {
  app.setValidatorCompiler<z.ZodType>(({ schema }) => content => {
    try {
      return { value: read(schema, content) }
    } catch (error) {
      if (error instanceof Error) return { error }
      throw error
    }
  })
}
