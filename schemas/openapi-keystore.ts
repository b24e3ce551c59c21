import type { z } from 'zod'
import { credentialParameters } from './credentials.js'
import { jsonSchema } from './json-schema.js'
import { kek, keyChange, keyCount, keyObject, keystoreError, newKey } from './keystore.js'
import { tooManyRequests } from './openapi-limits.js'

type Json = Record<string, unknown>

export const keystoreTag = {
  name: 'key storage',
  description: 'Content keys, stored wrapped: the open SKM API, which packagers and encoders speak.',
}

export const keystoreSchemas = {
  Key: jsonSchema(keyObject),
  NewKey: jsonSchema(newKey),
  KeyChange: jsonSchema(keyChange),
  KeyCount: jsonSchema(keyCount),
  KeystoreError: jsonSchema(keystoreError),
} satisfies Record<string, Json>

type Name = keyof typeof keystoreSchemas

const REFUSALS = {
  400: 'Code 2, a parameter is wrong; 3, the body is no JSON object; 5, the KEK does not open the key.',
  401: 'Code -2017, no authenticator; -2018, a wrong one; -2031, the account is disabled.',
  404: 'Code 2, there is no such key.',
  413: 'Code 3, the body is too large.',
  415: 'Code 3, the body is not JSON.',
  503: 'Code 1, the key storage is unavailable.',
} as const

const authenticator = queryParameter('customerAuthenticator', credentialParameters.customerAuthenticator, true)
const common = [authenticator, queryParameter('kek', kek, false)]

/** The key storage's paths (spec: keystore.md). */
export const keystorePaths: Json = {
  '/keystore/keys': {
    get: {
      ...operation('listKeys', 'All keys, in the order of their kids.'),
      parameters: common,
      responses: {
        200: answer('With a KEK, each key that it opens in clear.', listOf(reference('Key'))),
        ...refusals(400),
      },
    },
    post: {
      ...operation('createKey', 'A new key, or the one that has its kid.'),
      parameters: common,
      requestBody: body('NewKey'),
      responses: {
        200: answer('The key that is there already; the rest of the body is ignored.', reference('Key')),
        201: {
          ...answer('The new key.', reference('Key')),
          headers: { location: { schema: { type: 'string' }, description: 'The path of the key.' } },
        },
        ...refusals(400, 413, 415),
      },
    },
  },
  '/keystore/keys/{kid}': {
    get: {
      ...operation('readKeys', 'One key, or several.'),
      parameters: [...common, kids('KIDs, separated by commas.')],
      responses: {
        200: answer('One key as an object, several as an array in the order asked.', {
          oneOf: [reference('Key'), listOf(reference('Key'))],
        }),
        ...refusals(400, 404),
      },
    },
    put: {
      ...operation('changeKey', 'Change some fields of a key.'),
      parameters: [...common, kids('A KID.')],
      requestBody: body('KeyChange'),
      responses: { 200: { description: 'Done; the answer has no body.' }, ...refusals(400, 404, 413, 415) },
    },
    delete: {
      ...operation('removeKey', 'Remove a key.'),
      parameters: [...common, kids('A KID.')],
      responses: { 200: { description: 'Done; the answer has no body.' }, ...refusals(400, 404) },
    },
  },
  '/keystore/keys/{kid}/value': {
    get: {
      ...operation('readKeyValues', 'The bare value of a key, or of several.'),
      parameters: [...common, kids('KIDs, separated by commas.')],
      responses: {
        200: {
          description: 'Each key in hex with a KEK, `#` and the wrapped key without; several are separated by commas.',
          content: { 'text/plain': { schema: { type: 'string' } } },
        },
        ...refusals(400, 404),
      },
    },
  },
  '/keystore/keycount': {
    get: {
      ...operation('countKeys', 'How many keys are stored.'),
      parameters: [authenticator],
      responses: { 200: answer('The number.', reference('KeyCount')), ...refusals() },
    },
  },
}

function operation(operationId: string, summary: string): Json {
  return { operationId, tags: [keystoreTag.name], summary }
}

function queryParameter(name: string, schema: z.ZodType, required: boolean): Json {
  const { description, examples, example, 'x-error-code': code, ...rules } = jsonSchema(schema)
  return { name, in: 'query', required, description, schema: rules }
}

function kids(description: string): Json {
  return {
    name: 'kid',
    in: 'path',
    required: true,
    description: `${description} Each has 32 hex digits, or is \`^\` and a string without a comma.`,
    schema: { type: 'string' },
  }
}

function body(name: Name): Json {
  return { required: false, content: { 'application/json': { schema: reference(name) } } }
}

function answer(description: string, schema: Json) {
  return { description, content: { 'application/json': { schema } } }
}

function refusals(...statuses: readonly (keyof typeof REFUSALS)[]): Json {
  const refusal = (status: keyof typeof REFUSALS) => [status, answer(REFUSALS[status], reference('KeystoreError'))]
  const tooMany = tooManyRequests(
    answer('', reference('KeystoreError')).content,
    'Code 429, too many requests a minute.',
  )
  return { ...Object.fromEntries(([...statuses, 401, 503] as const).map(refusal)), 429: tooMany }
}

function reference(name: Name): Json {
  return { $ref: `#/components/schemas/${name}` }
}

function listOf(items: Json): Json {
  return { type: 'array', items }
}
