import type { FastifyError, FastifyInstance, FastifyRequest } from 'fastify'
import { accountChange, accountPath, balanceChange, newAccount, pageQuery, read, rotation } from '../schemas/admin.js'
import type { Administration } from '../src/accounts/administration.js'
import type { ContentAdministration } from '../src/entitlement/catalogue/stored-contents.js'
import { AdministrationRefused } from '../src/errors/administration-refused.js'
import { JsonTextError, parseJson } from '../src/ground/json-text.js'
import type { AdminAccess } from '../src/http/admin-access.js'
import { sendJson, sendRefusal } from '../src/http/answers.js'
import { refuseUnknown } from '../src/http/methods.js'
import { contentRoutes } from './contents.js'

export interface AdminRoutesOptions {
  readonly administration: Administration
  readonly contents: ContentAdministration
  readonly access: AdminAccess
}

/** `/admin/api`: customers, their balances and authenticators, and the contents of the catalogue, in JSON alone. */
export async function adminRoutes(app: FastifyInstance, options: AdminRoutesOptions): Promise<void> {
  const { administration, contents, access } = options
  guard(app, access)
  speakJson(app)
  contentRoutes(app, contents)

  app.get('/accounts', async (request, reply) =>
    sendJson(reply, await administration.list(read(pageQuery, request.query))),
  )

  app.post('/accounts', async (request, reply) => {
    const created = await administration.create(read(newAccount, request.body))
    return sendJson(reply.code(201).header('location', `${app.prefix}/accounts/${created.id}`), created)
  })

  app.get('/accounts/:id', async (request, reply) => {
    const { id } = read(accountPath, request.params)
    return sendJson(reply, await administration.show(id))
  })

  app.patch('/accounts/:id', async (request, reply) => {
    const { id } = read(accountPath, request.params)
    return sendJson(reply, await administration.change(id, read(accountChange, request.body)))
  })

  app.post('/accounts/:id/balance', async (request, reply) => {
    const { id } = read(accountPath, request.params)
    return sendJson(reply, await administration.changeBalance(id, read(balanceChange, request.body)))
  })

  app.post('/accounts/:id/authenticators', async (request, reply) => {
    const { id } = read(accountPath, request.params)
    return sendJson(reply.code(201), await administration.rotate(id, read(rotation, request.body)))
  })
}

/** Before anything of a request is read; also where there is no such path, so that a stranger learns no paths. */
function guard(app: FastifyInstance, access: AdminAccess): void {
  app.addHook('onRequest', (_request, reply, next) => {
    reply.errorFormat = 'json'
    next()
  })
  // When the address was counted: guessing is limited, too.
  app.addHook('preParsing', (request, reply, _payload, next) => {
    const admission = access(request.raw)
    if (admission === 'admitted') return next()
    if (admission !== 'unauthorized')
      return void sendRefusal(request, reply, { status: 403, code: 403, message: admission.refused })
    const message = 'Administration needs "Authorization: Bearer" with the ADMIN_TOKEN'
    sendRefusal(request, reply.header('www-authenticate', 'Bearer realm="admin"'), { status: 401, code: 401, message })
  })
  app.setNotFoundHandler(refuseUnknown(app))
}

/** No other content type: a page of another site could send a form without asking first, but no JSON. */
function speakJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) =>
    // Some clients say on every request that its body is JSON, also where there is none.
    request.method === 'DELETE' && body.length === 0 ? undefined : parsed(body),
  )
  app.setErrorHandler<FastifyError | AdministrationRefused>((error, request, reply) => {
    if (error instanceof AdministrationRefused) {
      const { status, message, parameter } = error
      return sendRefusal(request, reply, { status, code: status, message, parameter })
    }
    if (error.statusCode !== 415) throw error
    return sendRefusal(request, reply, { status: 415, code: 415, message: 'The body must be application/json' })
  })
}

function parsed(body: Buffer): unknown {
  try {
    return parseJson(body)
  } catch (error) {
    throw error instanceof JsonTextError ? new AdministrationRefused(400, `The body ${error.fault}`) : error
  }
}
