import { documentedRefusals } from '../src/errors/entitlement-refusal.js'
import { entitlementAnswer, entitlementRequest } from './entitlement.js'
import { jsonSchema } from './json-schema.js'
import { tooManyRequests } from './openapi-limits.js'

type Json = Record<string, unknown>

export const entitlementTag = {
  name: 'entitlement',
  description: 'Whether a viewer may have a key (SEES): on a port of its own, for clients with a certificate.',
}

export const entitlementSchemas = {
  EntitlementRequest: jsonSchema(entitlementRequest),
  EntitlementAnswer: jsonSchema(entitlementAnswer),
} satisfies Record<string, Json>

export const entitlementSecurity = {
  clientCertificate: { type: 'mutualTLS', description: 'A certificate by the authority in ENTITLEMENT_CLIENT_CA.' },
}

/** The entitlement service's path (spec: sees.md). */
export const entitlementPaths: Json = {
  '/entitlement': {
    servers: [
      {
        url: 'https://{host}:{port}',
        description: 'The port ENTITLEMENT_PORT, with mutual TLS.',
        variables: { host: { default: 'localhost' }, port: { default: '8443' } },
      },
    ],
    post: {
      operationId: 'askEntitlement',
      tags: [entitlementTag.name],
      summary: 'Whether a viewer may have a key.',
      security: [{ clientCertificate: [] }],
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: { $ref: '#/components/schemas/EntitlementRequest' },
            example: {
              messageID: 'b9ed7ba1-1d94-4f6b-a0a4-6a7c1d3e2f10',
              version: 1,
              requestType: 1,
              contentID: '3f2504e0-4f89-11d3-9a0c-0305e82c3301',
              customerCookie: 'viewer-4711',
            },
          },
        },
      },
      responses: {
        200: answer(
          described('The decision: the token URL, or why not. Below 0 it is the token that cannot be issued.', 200),
        ),
        400: answer(described('The request cannot be read.', 400)),
        403: answer(described('Who asks is not let in.', 403)),
        404: answer('There is nothing here but `POST /entitlement`.'),
        405: answer('The method is not POST.'),
        413: answer('The body is too large.'),
        429: tooManyRequests(content(), 'Too many requests a minute.'),
        500: answer('An unforeseen fault of the service; nothing was issued.'),
        502: answer('A gateway got no answer from the real service (-2030).'),
        503: answer(described('A fault of the service; -2030 where it has no number of its own.', 503)),
        504: answer('A gateway got no answer in time (-2030).'),
      },
    },
  },
}

/** With the refusals that are answered with this status. */
function described(description: string, status: number): string {
  const refusals = documentedRefusals.filter(refusal => refusal.status === status)
  return [description, ...refusals.map(({ number, text }) => `- \`${number}\` ${text}`)].join('\n')
}

function answer(description: string): Json {
  return { description, content: content() }
}

function content(): Json {
  return { 'application/json': { schema: { $ref: '#/components/schemas/EntitlementAnswer' } } }
}
