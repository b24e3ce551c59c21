import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { credentialsOf } from '../schemas/credentials.js'
import { readKek, readKeyChange, readKid, readKids, readNewKey, readNewKid } from '../schemas/keystore.js'
import type { RawParameters } from '../schemas/sorting.js'
import { type Accounts, requireAccount, requireEnabled } from '../src/accounts/authentication.js'
import type { RequestGate } from '../src/emulator/request-gate.js'
import type { Environment } from '../src/ground/environment.js'
import type { Logger } from '../src/ground/logger.js'
import { environmentOf } from '../src/ground/real-hosts.js'
import { sendAs, sendJson } from '../src/http/answers.js'
import { keystoreErrors } from '../src/http/error-forms.js'
import { logFailure } from '../src/http/errors.js'
import { answerWithFinalSlash } from '../src/http/final-slash.js'
import { identifyInsideGate } from '../src/http/gated-handlers.js'
import { readJsonBodies } from '../src/http/json-bodies.js'
import { rateLimitReporter } from '../src/http/limiting.js'
import { isUnknown, useErrorForm } from '../src/http/unknown-paths.js'
import { emptied, type KeyCaller, type KeyPage, type StoredKeys } from '../src/keys/key-storage.js'
import type { AccountLimit } from '../src/limits/rate-limits.js'
import { CHANGE, COUNT, CREATE, LIST, READ, READ_VALUES, REMOVE } from './keystore-operations.js'

export interface KeystoreRoutesOptions {
  readonly keys: StoredKeys
  readonly accounts: Accounts
  readonly limit: AccountLimit
  readonly logger: Logger
  /** The environment of a request whose Host header names none. */
  readonly environment: Environment
  /** Where an emulator may be reset. */
  readonly gate: RequestGate | undefined
}

type OneKey = { Params: { kid: string } }
type SeveralKeys = { Params: { kids: string } }

/** `/keystore`: the key storage, which is SKM's REST API below this path (spec: keystore.md). */
export async function keystoreRoutes(app: FastifyInstance, options: KeystoreRoutesOptions): Promise<void> {
  const { keys, accounts, limit, logger, gate } = options
  useErrorForm(app, keystoreErrors)
  app.addHook('onRoute', route => {
    route.config = { ...route.config, endpoint: { kind: 'keystore' } }
  })
  readJsonBodies(app)

  async function identify(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const query = request.query as RawParameters // as Fastify parses it
    const environment = environmentOf(request, options.environment)
    const account = await requireAccount(accounts, credentialsOf(query), environment)
    limit.admit(account, environment, rateLimitReporter(reply))
    requireEnabled(account)
    const owner = { customerId: account.id, environment }
    request.trace?.noteOwner(owner)
    await request.trace?.passed('account')
    request.setDecorator<KeyCaller>('caller', { owner, kek: readKek(query) })
  }

  app.decorateRequest('caller')
  if (gate !== undefined) identifyInsideGate(app, gate, identify)
  // Before the body is read, a stranger's is not worth it; and after the address was counted.
  app.addHook('preParsing', async (request, reply) => {
    if (!isUnknown(request)) await identify(request, reply)
  })
  const callerOf = (request: FastifyRequest) => request.getDecorator<KeyCaller>('caller')

  answerWithFinalSlash(app)
  app.post('/keys', { schema: CREATE }, async (request, reply) => {
    const { body } = request
    const { isNew, key } = await keys.create(callerOf(request), readNewKid(body), () => readNewKey(body))
    if (isNew) reply.code(201).header('location', `${app.prefix}/keys/${key.kid}`)
    return sendJson(reply, key)
  })

  app.put<OneKey>('/keys/:kid', { schema: CHANGE }, async (request, reply) => {
    await keys.change(callerOf(request), readKid(request.params.kid), readKeyChange(request.body))
    return reply.send()
  })

  app.get<SeveralKeys>('/keys/:kids', { schema: READ }, async (request, reply) => {
    const found = await keys.read(callerOf(request), readKids(request.params.kids))
    const [first] = found
    return sendJson(reply, first !== undefined && found.length === 1 ? first : found)
  })

  app.get<SeveralKeys>('/keys/:kids/value', { schema: READ_VALUES }, async (request, reply) => {
    const found = await keys.read(callerOf(request), readKids(request.params.kids))
    return sendAs(reply, 'text/plain', found.map(({ k, ek }) => k ?? `#${ek}`).join())
  })

  app.delete<OneKey>('/keys/:kid', { schema: REMOVE }, async (request, reply) => {
    await keys.remove(callerOf(request).owner, readKid(request.params.kid))
    return reply.send()
  })

  // Without HEAD, for which the whole list would be read and thrown away.
  app.get('/keys', { exposeHeadRoute: false, schema: LIST }, async (request, reply) => {
    const part = async (after?: string) => partOf(await keys.list(callerOf(request), after))
    // A store that is down is found out here, as long as the answer can still become an error.
    const list = Readable.from(jsonArray(await part(), part))
    list.on('error', error => logFailure(error.cause, request, logger))
    return reply.header('content-type', 'application/json').send(list)
  })

  app.get('/keycount', { schema: COUNT }, async (request, reply) => {
    return sendJson(reply, { keyCount: await keys.count(callerOf(request).owner) })
  })
}

interface Part {
  readonly text: string
  readonly last: string | undefined
}

function partOf({ keys, last }: KeyPage): Part {
  const texts = emptied(keys).map(key => JSON.stringify(key))
  return { text: texts.join(), last }
}

/** All parts as one array. The next is asked for when the client has taken the one before; the end is the last word. */
async function* jsonArray(first: Part, partAfter: (last: string) => Promise<Part>): AsyncGenerator<string> {
  let separator = '['
  for (let part = first; ; part = await partAfter(part.last)) {
    if (part.text !== '') {
      yield separator + part.text
      separator = ','
    }
    if (part.last === undefined) break
  }
  yield separator === '[' ? '[]' : ']'
}
