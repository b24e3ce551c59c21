import type { z } from 'zod'
import { credentialParameters, errorFormat } from './credentials.js'
import { jsonSchema } from './json-schema.js'
import { documentedWith, errorResponse } from './openapi-errors.js'
import { tooManyRequests } from './openapi-limits.js'
import { recordParameters, recordsAnswer } from './records.js'
import { metaOf } from './rules.js'

type Json = Record<string, unknown>

export const recordTag = { name: 'transaction log', description: 'What became of every token.' }

export const recordSchemas = { Events: jsonSchema(recordsAnswer) }

/** The look-up in the transaction log (spec: records.md). */
export const recordPaths: Json = {
  '/cmiapi/getrecord': {
    get: {
      operationId: 'getRecords',
      tags: [recordTag.name],
      summary: 'Events of the transaction log.',
      description:
        'Also with a final slash. One way to ask at once: nothing more, `cookie`, `id`, `start` with `length`, or a time.',
      parameters: [
        credential('customerAuthenticator', credentialParameters.customerAuthenticator, true),
        credential('errorFormat', errorFormat, false),
        ...Object.entries(recordParameters).map(([name, schema]) => ({
          name,
          in: 'query',
          required: false,
          description: schema.description,
          schema: { type: 'string' },
        })),
      ],
      responses: {
        200: {
          description: 'The events.',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Events' } } },
        },
        400: errorResponse('The ways to ask are mixed, or a value is out of its range.', []),
        401: errorResponse('Authentication failed.', documentedWith(401)),
        429: tooManyRequests(errorResponse('', []).content),
        503: errorResponse('The log cannot be reached.', documentedWith(503)),
      },
    },
  },
}

function credential(name: string, schema: z.ZodType, required: boolean): Json {
  const { description, example } = metaOf(schema)
  return { name, in: 'query', required, description, schema: { type: 'string' }, example }
}
