import { jsonSchema } from './json-schema.js'
import {
  clearKeyLicence,
  clearKeyRequest,
  DEVICE_HEADER,
  standInLicence,
  TOKEN_NAME,
  viewerParameters,
} from './licences.js'
import { errorResponse, listed } from './openapi-errors.js'
import { tooManyRequests } from './openapi-limits.js'

type Json = Record<string, unknown>

export const licenceTag = {
  name: 'licences',
  description:
    "Players' key requests, with a token. Open to other origins. A gateway forwards them, and answers what the real service answers.",
}

export const licenceSchemas = {
  ClearKeyRequest: jsonSchema(clearKeyRequest),
  ClearKeyLicence: jsonSchema(clearKeyLicence),
  StandInLicence: jsonSchema(standInLicence),
}

const UNREADABLE =
  'The token is good, the challenge is not. With `400`: what the query says of the viewer cannot be read.'
const NOT_GRANTED =
  'The token is not good for this. Where an entitlement service is asked: its denial, with its own number and text.'

/** Redeeming a token (spec: licence.md). All but PlayReady's path are also, and mostly, written with a final slash. */
export const licencePaths: Json = {
  '/hms/ck/rights': {
    post: licenceOperation('getClearKeyLicence', 'Clear Key: the keys that are asked for, with a token of any DRM.', {
      body: {
        'application/json': {
          schema: { $ref: '#/components/schemas/ClearKeyRequest' },
          example: { kids: ['s2Y2DagunG4LCYQAKjYs8g'], type: 'temporary' },
        },
      },
      licence: { 'application/json': { schema: { $ref: '#/components/schemas/ClearKeyLicence' } } },
      refusals: jsonRefusals(),
    }),
  },
  '/playready/RightsManager.asmx': {
    post: licenceOperation('getPlayreadyLicence', 'PlayReady: every check, and a stand-in for a licence.', {
      body: { 'text/xml': { schema: { type: 'string' } } },
      licence: { 'text/xml': { schema: { type: 'string' } } },
      refusals: {
        500: {
          description: 'Every refusal: a SOAP fault with status code 0x8004C604 and the error JSON in its CustomData.',
          content: { 'text/xml': { schema: { type: 'string' } } },
        },
        '4XX': jsonOnly(errorResponse('The path or the method is wrong.', [])),
      },
    }),
  },
  '/hms/wv/rights': { post: opaqueOperation('getWidevineLicence', 'Widevine') },
  '/hms/fp/rights': { post: opaqueOperation('getFairplayLicence', 'FairPlay') },
}

interface Parts {
  readonly body: Json
  readonly licence: Json
  readonly refusals: Json
}

function licenceOperation(operationId: string, summary: string, { body, licence, refusals }: Parts): Json {
  return {
    operationId,
    tags: [licenceTag.name],
    summary,
    parameters: [
      parameter(TOKEN_NAME, 'query', 'The token. Also as a header, and in the CustomData of a PlayReady challenge.'),
      parameter(TOKEN_NAME, 'header', 'The token, where it is not in the query.'),
      parameter(DEVICE_HEADER, 'header', 'The device that asks: 32 hex digits. In emulation only.'),
      ...Object.entries(viewerParameters).map(([name, schema]) => viewerParameter(name, jsonSchema(schema))),
    ],
    requestBody: { required: true, description: 'The challenge; its content type does not matter.', content: body },
    responses: { 200: { description: 'The redemption is in the transaction log.', content: licence }, ...refusals },
  }
}

function opaqueOperation(operationId: string, drm: string): Json {
  return licenceOperation(operationId, `${drm}: every check, and a stand-in for a licence.`, {
    body: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
    licence: { 'application/json': { schema: { $ref: '#/components/schemas/StandInLicence' } } },
    refusals: jsonRefusals(),
  })
}

function parameter(name: string, place: 'query' | 'header', description: string): Json {
  return { name, in: place, required: false, description, schema: { type: 'string' } }
}

function viewerParameter(name: string, { description, example, ...schema }: Json): Json {
  return { name, in: 'query', required: false, description, example, schema }
}

function jsonRefusals(): Json {
  return {
    400: jsonOnly(errorResponse(UNREADABLE, listed(-4018, -4022))),
    401: jsonOnly(errorResponse('The customer may not.', listed(-2031))),
    403: jsonOnly(errorResponse(NOT_GRANTED, listed(-2003, -4001, -4010))),
    405: jsonOnly(errorResponse('The method is not POST.', [])),
    413: jsonOnly(errorResponse('The challenge is too large.', [])),
    429: tooManyRequests(jsonOnly(errorResponse('', [])).content, 'Too many requests a minute from this address.'),
    502: jsonOnly(errorResponse('In the gateway: the licence server cannot be reached.', listed(-2030))),
    503: jsonOnly(errorResponse('A fault of the service.', listed(-2030))),
    504: jsonOnly(errorResponse('In the gateway: the licence server did not answer in time.', listed(-2030))),
  }
}

/** Players read no HTML. */
function jsonOnly({ content, ...response }: ReturnType<typeof errorResponse>): Json {
  return { ...response, content: { 'application/json': content['application/json'] } }
}
