import type * as z from 'zod'
import { tokenAnswer } from '../schemas/answers.js'
import { errorFormat } from '../schemas/credentials.js'
import { IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, idempotencyKey } from '../schemas/idempotency.js'
import { metaOf } from '../schemas/rules.js'
import { type FamilySchema, tokenRequestParameters } from '../schemas/token-request.js'
import type { IssuedToken, TokenFamily } from '../src/drm/family.js'
import { JSON_TYPE } from '../src/http/answers.js'
import { documented, type Operation, type Reads } from '../src/http/operation.js'

/** A token request as the OpenAPI document shows it: the same for every DRM, but for the parameters of its policy. */
export function tokenOperation(family: TokenFamily): Operation {
  const { name, title, answer } = family
  return {
    operationId: `${name}Token`,
    tags: ['tokens'],
    summary: `A ${title} licence token.`,
    description: `One token is taken from the account's balance. Parameters may stand in the query or, with POST, in a form. All names are case-sensitive.`,
    reads: () => tokenReads(family),
    sample: () => ({ parameters: sampleOf(tokenParameters(family)) }),
    answers: {
      200: {
        description: 'The token: as JSON where `Accept` names it, else in the form of this DRM.',
        headers: {
          'x-request-id': 'The id of this request, also in the log.',
          'x-ignored-parameters': 'The parameters that are unknown, with a suggestion where one looks misspelt.',
          ...(family.assumed === undefined
            ? {}
            : { [ASSUMED]: 'Required parameters that are missing, for which a default is assumed.' }),
          [IDEMPOTENCY_REPLAYED]: '`true`: the token was issued before, to a request with the same Idempotency-Key.',
        },
        content: {
          [JSON_TYPE]: { schema: tokenAnswer, example: exampleOf(family) },
          [answer.contentType]: { schema: 'text', example: answer.text(exampleOf(family), {}) },
        },
      },
    },
    refuses: {
      400: documented('A bad argument.'),
      401: documented('Authentication failed.'),
      409: 'A request with the same Idempotency-Key is still being answered.',
      413: 'The body is too large.',
      415: 'The body is not a form.',
      422: 'The Idempotency-Key was used with another request.',
      429: {
        description: 'Too many requests a minute (the error code is 429), or tokens a day (`-2019`).',
        codes: [-2019],
      },
      500: 'An unforeseen fault of the service; nothing was issued.',
      502: {
        description: 'A gateway got no answer; the message says when a token may have been issued.',
        codes: [-2030],
      },
      503: documented('A fault of the service; a token was only issued where the message says so.'),
      504: { description: 'A gateway got no answer in time; the message says the same as with 502.', codes: [-2030] },
    },
  }
}

function exampleOf({ licences }: TokenFamily): IssuedToken {
  return { licenseAcquisitionUrl: `http://127.0.0.1:8080${licences.path}`, token: TOKEN }
}

const TOKEN =
  'CAADE_qFBHcAJDdhNTFmYmUxLTQ2MjQtNDZkMC05NTYxLWU4OTM2MWU4MGI4NAAAAGDo-2v7AXdarDIUDTyZxFgcsGcEjvucP5XiHiCW71_EOS9Dw5RLAZNa-gG3sN_BvFuwArStdzXmMQkunuUvrOm8kK2o3rTiRAA5moZ0Y3jGZSB3EDK4sneurmbgR6l96BDuSkHiytEE0nE5q_uHGvgIgfT8qw'

/** The header that names what was assumed. */
export const ASSUMED = 'x-assumed-parameters'

const EPOCH = () => 0

/** Every parameter of a token request by its name. */
export function tokenParameters(family: FamilySchema) {
  const { credentials, token, keys, policy, restrictions, answer } = tokenRequestParameters(
    family,
    family.policySchema(EPOCH),
    EPOCH,
  )
  return { ...credentials, errorFormat, ...token, ...keys, ...policy, ...restrictions, ...answer }
}

function tokenReads(family: FamilySchema): Reads {
  return {
    query: tokenParameters(family),
    headers: {
      [IDEMPOTENCY_KEY]: idempotencyKey.optional().meta({
        description: 'The same key with the same request gets the same token, and only one is issued.',
      }),
    },
    hasNumbered: true,
    // What a key must have may have its number.
    required: ['customerAuthenticator'],
  }
}

/** A plain purchase: what is needed and little else. */
function sampleOf(parameters: Readonly<Record<string, z.ZodType>>): Record<string, string> {
  const shown = Object.entries(parameters).filter(
    ([name, schema]) => SHOWN.has(name) || !schema.safeParse(undefined).success,
  )
  return Object.fromEntries(shown.map(([name, schema]) => [name, metaOf(schema).example]))
}

/** What a plain purchase has beside the parameters that are required. */
const SHOWN: ReadonlySet<string> = new Set(['errorFormat', 'contentKey'])
