import type { z } from 'zod'
import { errorAnswer, tokenAnswer } from './answers.js'
import { errorFormat } from './credentials.js'
import { IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, idempotencyKey } from './idempotency.js'
import { jsonSchema } from './json-schema.js'
import { keysWithKid } from './keys.js'
import { adminPaths, adminSchemas } from './openapi-admin.js'
import { adminSecurity, adminTag } from './openapi-admin-operation.js'
import { contentPaths, contentSchemas } from './openapi-contents.js'
import { entitlementPaths, entitlementSchemas, entitlementSecurity, entitlementTag } from './openapi-entitlement.js'
import { documentedWith, errorResponse, listed } from './openapi-errors.js'
import { keystorePaths, keystoreSchemas, keystoreTag } from './openapi-keystore.js'
import { licencePaths, licenceSchemas, licenceTag } from './openapi-licences.js'
import { limitComponents, limitHeaders, tooManyRequests } from './openapi-limits.js'
import { recordPaths, recordSchemas, recordTag } from './openapi-records.js'
import { toolPaths, toolSchemas, toolTag } from './openapi-tools.js'
import { playreadySchema } from './playready.js'
import { metaOf } from './rules.js'
import { tokenRequestParameters } from './token-request.js'

type Json = Record<string, unknown>

/** The OpenAPI document, made from the schemas that validate. */
export function openApiDocument(version: string): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'ExpressPlay token backend',
      version,
      summary: 'PlayReady licence tokens, compatible with ExpressPlay.',
      description:
        'Asks for a licence token: content key and policy in, licence URL and token out. All parameter names are case-sensitive.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: [
      { name: 'tokens', description: 'Licence tokens.' },
      licenceTag,
      recordTag,
      keystoreTag,
      toolTag,
      entitlementTag,
      adminTag,
      { name: 'operations', description: 'Health and metrics.' },
    ],
    security: [],
    paths: {
      '/hms/pr/token': {
        get: {
          ...tokenOperation('get'),
          parameters: [...parameterObjects(), numberedParameters, idempotencyKeyHeader],
        },
        post: {
          ...tokenOperation('post'),
          parameters: [
            { ...objectOf('errorFormat', errorFormat), description: 'The form of an error answer.' },
            idempotencyKeyHeader,
          ],
          requestBody: {
            required: true,
            content: { 'application/x-www-form-urlencoded': { schema: formSchema(), example: example() } },
          },
        },
      },
      ...licencePaths,
      ...recordPaths,
      ...keystorePaths,
      ...toolPaths,
      ...entitlementPaths,
      ...adminPaths,
      ...contentPaths,
      '/healthz': { get: statusOperation('isUp', 'Whether the process is up.') },
      '/readyz': { get: statusOperation('isReady', 'Whether requests may be sent here.') },
      '/metrics': {
        get: {
          operationId: 'readMetrics',
          tags: ['operations'],
          summary: 'Metrics for Prometheus.',
          responses: {
            200: { description: 'Metrics.', content: { 'text/plain': { schema: { type: 'string' } } } },
            '4XX': errorResponse('The request was refused.', []),
          },
        },
      },
    },
    components: {
      schemas: {
        TokenAnswer: jsonSchema(tokenAnswer),
        ErrorAnswer: jsonSchema(errorAnswer),
        ...licenceSchemas,
        ...recordSchemas,
        ...keystoreSchemas,
        ...toolSchemas,
        ...entitlementSchemas,
        ...adminSchemas,
        ...contentSchemas,
      },
      headers: limitComponents,
      securitySchemes: { ...adminSecurity, ...entitlementSecurity },
    },
  }
}

function tokenOperation(method: 'get' | 'post'): Json {
  return {
    operationId: method === 'get' ? 'getPlayreadyToken' : 'postPlayreadyToken',
    tags: ['tokens'],
    summary: 'A PlayReady licence token.',
    responses: tokenResponses(),
  }
}

function tokenResponses(): Json {
  const answer = { schema: { $ref: '#/components/schemas/TokenAnswer' } }
  return {
    200: {
      description: 'The token. The body is the same JSON under either content type.',
      headers: {
        'x-request-id': { schema: { type: 'string' }, description: 'The id of this request, also in the log.' },
        'x-ignored-parameters': {
          schema: { type: 'string' },
          description: 'The parameters that are unknown, with a suggestion where one looks misspelt.',
        },
        [IDEMPOTENCY_REPLAYED]: {
          schema: { type: 'string', enum: ['true'] },
          description: 'The token was issued before, to a request with the same Idempotency-Key.',
        },
        ...limitHeaders,
      },
      content: { 'application/json': answer, 'text/uri-list': answer },
    },
    400: errorResponse('A bad argument.', documentedWith(400)),
    401: errorResponse('Authentication failed.', documentedWith(401)),
    405: errorResponse('The method is neither GET nor POST.', []),
    409: errorResponse('A request with the same Idempotency-Key is still under way.', []),
    413: errorResponse('The body is too large.', []),
    415: errorResponse('The body is not a form.', []),
    422: errorResponse('The Idempotency-Key was used with another request.', []),
    429: tooManyRequests(
      errorResponse('', listed(-2019)).content,
      'Too many requests a minute (the error code is 429), or tokens a day (`-2019`).',
    ),
    500: errorResponse('An unforeseen fault of the service; nothing was issued.', []),
    502: errorResponse('A gateway got no answer; the message tells when a token may have been issued.', listed(-2030)),
    503: errorResponse(
      'A fault of the service; a token was only issued where the message says so.',
      documentedWith(503),
    ),
    504: errorResponse('A gateway got no answer in time; the message tells, as with 502.', listed(-2030)),
  }
}

/** Every parameter of a token request by its name. */
export const allParameters: Readonly<Record<string, z.ZodType>> = parametersByName()

function parametersByName() {
  const { credentials, keys, policy, restrictions, answer } = tokenRequestParameters(
    keysWithKid,
    playreadySchema(() => 0),
    () => 0,
  )
  return { ...credentials, errorFormat, ...keys, ...policy, ...restrictions, ...answer }
}

function parameterObjects(): Json[] {
  return Object.entries(allParameters).map(([name, schema]) => objectOf(name, schema))
}

function objectOf(name: string, schema: z.ZodType): Json {
  const { description, example } = metaOf(schema)
  // The docs page fills every example in when a request is tried, so only what belongs together has one.
  const isShown = shownByDefault.has(name)
  return {
    name,
    in: 'query',
    required: isRequired(schema),
    description: isShown ? description : `${description} For example \`${example}\`.`,
    schema: parameterSchema(schema),
    ...(isShown ? { example } : {}),
  }
}

const idempotencyKeyHeader = {
  name: IDEMPOTENCY_KEY,
  in: 'header',
  required: false,
  description: 'The same key with the same request gets the same token, and only one is issued.',
  schema: jsonSchema(idempotencyKey),
}

const numberedParameters = {
  name: 'numbered',
  in: 'query',
  required: false,
  style: 'form',
  explode: true,
  description:
    'For several keys in one token every licence parameter may carry `.N`: `kid.0`, `contentKey.0`, `kid.1`, … up to 16 keys. A bare parameter then applies to all keys that have none of their own.',
  schema: { type: 'object', additionalProperties: { type: 'string' } },
  example: {},
}

function formSchema(): Json {
  const parameters = Object.entries(allParameters)
  return {
    type: 'object',
    properties: Object.fromEntries(
      parameters.map(([name, schema]) => [
        name,
        { ...parameterSchema(schema), description: metaOf(schema).description, examples: [metaOf(schema).example] },
      ]),
    ),
    required: parameters.filter(([, schema]) => isRequired(schema)).map(([name]) => name),
    additionalProperties: { type: 'string' },
  }
}

/** A plain purchase: what is needed and nothing else. */
function example(): Json {
  return Object.fromEntries(
    Object.entries(allParameters)
      .filter(([name]) => shownByDefault.has(name))
      .map(([name, schema]) => [name, metaOf(schema).example]),
  )
}

const shownByDefault: ReadonlySet<string> = new Set([
  'customerAuthenticator',
  'errorFormat',
  'kid',
  'contentKey',
  'rightsType',
  'analogVideoOPL',
  'compressedDigitalAudioOPL',
  'compressedDigitalVideoOPL',
  'uncompressedDigitalAudioOPL',
  'uncompressedDigitalVideoOPL',
])

/** What is required always. Several keys give `kid.N` instead of `kid`, but the form for one key is what is shown. */
export function isRequired(schema: z.ZodType): boolean {
  return !schema.safeParse(undefined).success
}

export function parameterSchema(schema: z.ZodType): Json {
  const { description, example, 'x-error-code': code, ...rules } = jsonSchema(schema)
  return rules
}

function statusOperation(operationId: string, summary: string): Json {
  return {
    operationId,
    tags: ['operations'],
    summary,
    responses: {
      200: {
        description: 'Yes.',
        content: {
          'application/json': {
            schema: { type: 'object', properties: { status: { type: 'string' } }, required: ['status'] },
          },
        },
      },
      '4XX': errorResponse('The request was refused.', []),
      503: errorResponse('No.', []),
    },
  }
}
