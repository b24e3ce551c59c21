import { jsonSchema } from './json-schema.js'
import { tooManyRequests } from './openapi-limits.js'
import { psshAnswer, psshRequest } from './pssh.js'

type Json = Record<string, unknown>

export const toolTag = { name: 'tools', description: 'Help for those who package and play. No authentication.' }

export const toolSchemas = { PsshRequest: jsonSchema(psshRequest), PsshAnswer: jsonSchema(psshAnswer) }

export const toolPaths: Json = {
  '/tools/pssh': {
    post: {
      operationId: 'makePssh',
      tags: [toolTag.name],
      summary: 'PlayReady header, pssh boxes and DASH elements for keys.',
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: { $ref: '#/components/schemas/PsshRequest' },
            example: { scheme: 'cenc', keys: [{ kid: 'b366360da82e9c6e0b0984002a362cf2' }] },
          },
        },
      },
      responses: {
        200: answer('For each key, and for several in one.', 'PsshAnswer'),
        400: answer('The body is no JSON, or a field of it is wrong.', 'ErrorAnswer'),
        413: answer('The body is too large.', 'ErrorAnswer'),
        415: answer('The body is not JSON.', 'ErrorAnswer'),
        429: tooManyRequests(answer('', 'ErrorAnswer').content),
      },
    },
  },
}

function answer(description: string, schema: string) {
  return { description, content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } } }
}
