import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { credentialParameters, credentialsOf, errorFormat } from '../schemas/credentials.js'
import { type RecordsAnswer, readRecordRequest, recordParameters, recordsAnswer } from '../schemas/records.js'
import { metaOf } from '../schemas/rules.js'
import type { RawParameters } from '../schemas/sorting.js'
import { checkErrorFormat } from '../schemas/token-request.js'
import { type Accounts, requireAccount, requireEnabled } from '../src/accounts/authentication.js'
import { orUnavailable } from '../src/errors/public-error.js'
import type { Environment } from '../src/ground/environment.js'
import { environmentOf } from '../src/ground/real-hosts.js'
import { sendJson } from '../src/http/answers.js'
import { rateLimitReporter } from '../src/http/limiting.js'
import { documented, json, type Operation } from '../src/http/operation.js'
import type { RecordLookUp } from '../src/ledger/record-look-up.js'
import type { AccountLimit } from '../src/limits/rate-limits.js'

export interface RecordRoutesOptions {
  readonly accounts: Accounts
  readonly limit: AccountLimit
  readonly lookUp: RecordLookUp
  /** The environment of a request whose Host header names none. */
  readonly environment: Environment
}

const config = { endpoint: { kind: 'records' } } as const

type Handled = FastifyRequest<{ Querystring: RawParameters }>

const EXAMPLE: RecordsAnswer = {
  valid: true,
  events: [
    {
      event_id: 4711,
      time: '2026-06-01T12:00:00.000Z',
      event: 'token_issued',
      drm: 'playready',
      token_id: '6f1f2c0e-5d1b-4b7e-9a43-0c1f3f0d2b7a',
      kid: ['b366360da82e9c6e0b0984002a362cf2'],
      cookie: 'viewer-4711',
      rights_type: 'BuyToOwn',
      error_code: 0,
      request_id: '5d2ab1c09e77-1',
    },
  ],
}

/** `/cmiapi/getrecord/`: the customer's transaction log (spec: records.md). */
export async function recordRoutes(app: FastifyInstance, options: RecordRoutesOptions): Promise<void> {
  const { accounts, limit, lookUp } = options

  async function answer(request: Handled, reply: FastifyReply): Promise<FastifyReply> {
    checkErrorFormat(request.query, undefined)
    const environment = environmentOf(request, options.environment)
    const account = await requireAccount(accounts, credentialsOf(request.query), environment)
    limit.admit(account, environment, rateLimitReporter(reply))
    requireEnabled(account)
    const owner = { customerId: account.id, environment }
    request.trace?.noteOwner(owner)
    await request.trace?.passed('account')
    const asked = readRecordRequest(request.query)
    const events = await orUnavailable(lookUp.find(owner, asked))
    return sendJson(reply, { valid: true, events } satisfies RecordsAnswer)
  }

  for (const url of ['/cmiapi/getrecord', '/cmiapi/getrecord/'])
    app.get<{ Querystring: RawParameters }>(url, { config, schema: OPERATION }, answer)
}

const OPERATION: Operation = {
  operationId: 'getRecords',
  tags: ['transaction log'],
  summary: 'Events of the transaction log.',
  description:
    'One way to ask at once: nothing more, `cookie`, `id`, `start` with `length`, or a time. Other parameters are ignored.',
  reads: {
    query: { ...credentialParameters, errorFormat, ...recordParameters },
    required: ['customerAuthenticator'],
  },
  sample: {
    parameters: {
      customerAuthenticator: metaOf(credentialParameters.customerAuthenticator).example,
      errorFormat: 'json',
    },
  },
  answers: { 200: json('The events.', recordsAnswer, EXAMPLE) },
  refuses: {
    400: 'The ways to ask are mixed, or a value is out of its range.',
    401: documented('Authentication failed.'),
    503: documented('The log cannot be reached.'),
  },
}
