import type { FastifyInstance } from 'fastify'
import { accountChange, accountPath, balanceChange, newAccount, pageQuery, read, rotation } from '../schemas/admin.js'
import type { Administration } from '../src/accounts/administration.js'
import type { ContentAdministration } from '../src/entitlement/catalogue/stored-contents.js'
import { StatusError } from '../src/errors/public-error.js'
import type { AdminAccess } from '../src/http/admin-access.js'
import { sendJson } from '../src/http/answers.js'
import { jsonErrors } from '../src/http/error-forms.js'
import { readJsonBodies } from '../src/http/json-bodies.js'
import { useErrorForm } from '../src/http/unknown-paths.js'
import { contentRoutes } from './contents.js'

export interface AdminRoutesOptions {
  readonly administration: Administration
  readonly contents: ContentAdministration
  /** Without it nobody may administer. */
  readonly access: AdminAccess | undefined
}

/** `/admin/api`: customers, their balances and authenticators, and the contents of the catalogue, in JSON alone. */
export async function adminRoutes(app: FastifyInstance, options: AdminRoutesOptions): Promise<void> {
  const { administration, contents, access } = options
  useErrorForm(app, jsonErrors)
  if (access === undefined) return
  guard(app, access)
  readJsonBodies(app)
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
  // When the address was counted: guessing is limited, too.
  app.addHook('preParsing', (request, reply, _payload, next) => {
    const admission = access(request.raw)
    if (admission === 'admitted') return next()
    if (admission !== 'unauthorized') return next(new StatusError(403, admission.refused))
    reply.header('www-authenticate', 'Bearer realm="admin"')
    next(new StatusError(401, 'Administration needs "Authorization: Bearer" with the ADMIN_TOKEN'))
  })
}
