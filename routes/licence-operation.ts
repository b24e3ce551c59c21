import * as z from 'zod'
import {
  clearKeyLicence,
  clearKeyRequest,
  DEVICE_HEADER,
  standInLicence,
  TOKEN_NAME,
  viewerParameters,
} from '../schemas/licences.js'
import type { LicenceFamily } from '../src/drm/family.js'
import type { LicenceDrm } from '../src/ground/drms.js'
import { JSON_TYPE } from '../src/http/answers.js'
import { type Content, documented, type Operation, type Reads, type Refuses } from '../src/http/operation.js'

interface Forms {
  readonly summary: string
  readonly body: Readonly<Record<string, Content>>
  readonly licence: Readonly<Record<string, Content>>
  readonly example?: unknown
}

const STAND_IN = 'every check, and a stand-in for a licence.'

/** By the form of a family's refusals, where it has none of its own. */
const FORMS: Readonly<Record<LicenceFamily['refusals'], Forms>> = {
  json: {
    summary: STAND_IN,
    body: { 'application/octet-stream': { schema: 'bytes' } },
    licence: { [JSON_TYPE]: { schema: standInLicence } },
  },
  soap: {
    summary: STAND_IN,
    body: { 'text/xml': { schema: 'text' } },
    licence: { 'text/xml': { schema: 'text' } },
  },
}

const OWN_FORMS: Partial<Record<LicenceDrm, Forms>> = {
  clearkey: {
    summary: 'the keys that are asked for, with a token of any DRM.',
    body: { [JSON_TYPE]: { schema: clearKeyRequest } },
    licence: { [JSON_TYPE]: { schema: clearKeyLicence } },
    example: { kids: ['s2Y2DagunG4LCYQAKjYs8g'], type: 'temporary' },
  },
}

const token = z.string().optional()
const reads: Reads = {
  query: {
    [TOKEN_NAME]: token.meta({
      description: 'The token. Also as a header, or in the challenge where its DRM has a place.',
    }),
    ...viewerParameters,
  },
  required: [],
  headers: {
    [TOKEN_NAME]: token.meta({ description: 'The token, where it is not in the query.' }),
    [DEVICE_HEADER]: token.meta({ description: 'The device that asks: 32 hex digits. In emulation only.' }),
  },
}

const OWN_TOKEN = token.meta({ description: 'The token, as the URL of this DRM has it.' })

/** A key request as the OpenAPI document shows it (spec: licence.md). */
export function licenceOperation({ drm, name: family, refusals, ...particular }: LicenceFamily): Operation {
  const { summary, body, licence, example } = OWN_FORMS[drm] ?? FORMS[refusals]
  const name = family.charAt(0).toUpperCase() + family.slice(1)
  const { answersGet = false, tokenParameter } = particular
  const own = tokenParameter === undefined ? {} : { [tokenParameter]: OWN_TOKEN }
  return {
    // With several methods the document adds theirs.
    operationId: answersGet ? `${name}Licence` : `get${name}Licence`,
    tags: ['licences'],
    summary: `${name}: ${summary}`,
    reads: {
      ...reads,
      query: { ...reads.query, ...own },
      body: {
        required: false,
        description: 'The challenge; its content type does not matter.',
        content: { ...body, '*/*': { schema: 'bytes' } },
      },
    },
    sample: { body: example },
    answers: { 200: { description: 'The redemption is in the transaction log.', content: licence } },
    refuses: refusals === 'soap' ? SOAP_REFUSALS : REFUSALS,
  }
}

const SOAP_REFUSALS: Refuses = {
  500: 'Every refusal: a SOAP fault with status code 0x8004C604 and the error JSON in its CustomData.',
}

const REFUSALS: Refuses = {
  400: {
    description:
      'The token is good, the challenge is not. With `400`: what the query says of the viewer cannot be read.',
    codes: [-4018, -4022],
  },
  401: { description: 'The customer may not.', codes: [-2031] },
  403: {
    description:
      'The token is not good for this. Where an entitlement service is asked: its denial, with its own number and text.',
    codes: [-2003, -4001, -4010],
  },
  413: 'The challenge is too large.',
  502: { description: 'In the gateway: the licence server cannot be reached.', codes: [-2030] },
  503: documented('A fault of the service.'),
  504: { description: 'In the gateway: the licence server did not answer in time.', codes: [-2030] },
}
