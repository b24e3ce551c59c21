import type { z } from 'zod'
import { credentialParameters, errorFormat } from './credentials.js'
import { jsonSchema } from './json-schema.js'
import { documentedWith, errorResponse } from './openapi-errors.js'
import { tooManyRequests } from './openapi-limits.js'
import { type RecordsAnswer, recordParameters, recordsAnswer } from './records.js'
import { metaOf } from './rules.js'

type Json = Record<string, unknown>

export const recordTag = { name: 'transaction log', description: 'What became of every token.' }

export const recordSchemas = { Events: jsonSchema(recordsAnswer) }

const example: RecordsAnswer = {
  valid: true,
  events: [
    {
      event_id: 4711,
      time: '2026-06-01T12:00:00.000Z',
      event: 'token_issued',
      drm: 'playready',
      token_id: 'AAAAZMZk_Y-BjYBb',
      kid: ['b366360da82e9c6e0b0984002a362cf2'],
      cookie: 'viewer-4711',
      rights_type: 'BuyToOwn',
      error_code: 0,
      request_id: '5d2ab1c09e77-1',
    },
  ],
}

/** The look-up in the transaction log (spec: records.md). */
export const recordPaths: Json = {
  '/cmiapi/getrecord': {
    get: {
      operationId: 'getRecords',
      tags: [recordTag.name],
      summary: 'Events of the transaction log.',
      description:
        'Also with a final slash. One way to ask at once: nothing more, `cookie`, `id`, `start` with `length`, or a time. Other parameters are ignored.',
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
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Events' }, example } },
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
