import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { credentialsOf } from '../schemas/credentials.js'
import { type RecordsAnswer, readRecordRequest } from '../schemas/records.js'
import type { RawParameters } from '../schemas/sorting.js'
import { checkErrorFormat } from '../schemas/token-request.js'
import type { Accounts } from '../src/accounts/accounts.js'
import { requireAccount, requireEnabled } from '../src/accounts/authentication.js'
import { orUnavailable } from '../src/errors/public-error.js'
import type { Environment } from '../src/ground/environment.js'
import { environmentOf } from '../src/http/addressed-host.js'
import { sendJson } from '../src/http/answers.js'
import { tellingOf } from '../src/http/limiting.js'
import type { LookUp } from '../src/ledger/look-up.js'
import type { AccountLimit } from '../src/limits/rate-limits.js'

export interface RecordRoutesOptions {
  readonly accounts: Accounts
  readonly limit: AccountLimit
  readonly lookUp: LookUp
  /** The environment of a request whose Host header names none. */
  readonly environment: Environment
}

type Handled = FastifyRequest<{ Querystring: RawParameters }>

/** `/cmiapi/getrecord/`: the customer's transaction log (spec: records.md). */
export async function recordRoutes(app: FastifyInstance, options: RecordRoutesOptions): Promise<void> {
  const { accounts, limit, lookUp } = options

  async function answer(request: Handled, reply: FastifyReply): Promise<FastifyReply> {
    checkErrorFormat(request.query, undefined)
    const environment = environmentOf(request, options.environment)
    const account = await requireAccount(accounts, credentialsOf(request.query), environment)
    limit.admit(account, environment, tellingOf(reply))
    requireEnabled(account)
    const asked = readRecordRequest(request.query)
    const events = await orUnavailable(lookUp.find({ customerId: account.id, environment }, asked))
    return sendJson(reply, { valid: true, events } satisfies RecordsAnswer)
  }

  for (const url of ['/cmiapi/getrecord', '/cmiapi/getrecord/']) app.get<{ Querystring: RawParameters }>(url, answer)
}
