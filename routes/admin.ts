import type { FastifyInstance } from 'fastify'
import {
  accountChange,
  accountPage,
  accountPath,
  addedAuthenticator,
  authenticatorAddition,
  authenticatorPath,
  authenticatorsPath,
  balanceChange,
  createdAccount,
  newAccount,
  pageQuery,
  read,
  rotatedAuthenticator,
  rotation,
  shownAccount,
  shownBalance,
} from '../schemas/admin.js'
import type { Administration } from '../src/accounts/administration.js'
import type { Emulator } from '../src/emulator/emulator.js'
import type { ContentAdministration } from '../src/entitlement/catalogue/stored-contents.js'
import { StatusError } from '../src/errors/public-error.js'
import type { AdminAccess } from '../src/http/admin-access.js'
import { sendJson } from '../src/http/answers.js'
import { jsonErrors } from '../src/http/error-forms.js'
import { readJsonBodies } from '../src/http/json-bodies.js'
import { created, json } from '../src/http/operation.js'
import { useErrorForm } from '../src/http/unknown-paths.js'
import { validateRequests, type ZodTypes } from '../src/http/validation.js'
import type { Observation } from '../src/journal/observation.js'
import { administrative } from './administrative.js'
import { contentRoutes } from './contents.js'
import { emulatorRoutes } from './emulator.js'
import { journalRoutes } from './journal.js'
import { streamRoutes } from './stream.js'

export interface AdminRoutesOptions {
  readonly administration: Administration
  readonly contents: ContentAdministration
  /** What only an emulator has. */
  readonly emulator: Emulator | undefined
  /** The journal, searches and the stream, where there are any. */
  readonly observation: Observation | undefined
  /** Whether the journal is only read. */
  readonly isReadOnly: boolean
  /** Without it, administration is off. */
  readonly access: AdminAccess | undefined
}

const sample = { parameters: { id: 201722 } }

/** `/admin/api`: customers, their balances and authenticators, and the contents of the catalogue, in JSON alone. */
export async function adminRoutes(app: FastifyInstance, options: AdminRoutesOptions): Promise<void> {
  const { administration, contents, access, emulator, observation } = options
  // What is asked about the journal would fill it.
  useErrorForm(app, jsonErrors, { isOutsideJournal: true })
  app.addHook('onRoute', route => {
    route.config = { ...route.config, endpoint: { kind: 'administration' } }
  })
  if (access === undefined) return
  guard(app, access)
  readJsonBodies(app)
  validateRequests(app, read)
  contentRoutes(app, contents)
  if (emulator !== undefined) emulatorRoutes(app, emulator)
  if (observation !== undefined) {
    journalRoutes(app, observation, { isReadOnly: options.isReadOnly })
    streamRoutes(app, observation.stream)
  }
  const api = app.withTypeProvider<ZodTypes>()

  api.get(
    '/accounts',
    {
      schema: {
        ...administrative('listAccounts', 'Accounts, in the order of their ids.'),
        querystring: pageQuery,
        answers: { 200: json('The accounts.', accountPage) },
      },
    },
    async ({ query }, reply) => sendJson(reply, await administration.list(query)),
  )

  api.post(
    '/accounts',
    {
      schema: {
        ...administrative('createAccount', 'A new account.', { 409: 'There is an account with this id.' }),
        body: newAccount,
        sample: { body: { name: 'A storefront', balance: 1000 } },
        answers: { 201: created('The account, with its authenticators.', createdAccount) },
      },
    },
    async ({ body }, reply) => {
      const account = await administration.create(body)
      return sendJson(reply.code(201).header('location', `${app.prefix}/accounts/${account.id}`), account)
    },
  )

  api.get(
    '/accounts/:id',
    {
      schema: {
        ...administrative('showAccount', 'One account.'),
        params: accountPath,
        sample,
        answers: { 200: json('The account.', shownAccount) },
      },
    },
    async ({ params }, reply) => sendJson(reply, await administration.show(params.id)),
  )

  api.patch(
    '/accounts/:id',
    {
      schema: {
        ...administrative('changeAccount', 'Change its name, its DRM options, its limits, or whether it is enabled.'),
        params: accountPath,
        body: accountChange,
        sample: { ...sample, body: { name: 'Another storefront', maxRedemptions: null } },
        answers: { 200: json('The account as it is now.', shownAccount) },
      },
    },
    async ({ params, body }, reply) => sendJson(reply, await administration.change(params.id, body)),
  )

  api.post(
    '/accounts/:id/balance',
    {
      schema: {
        ...administrative('changeBalance', 'Change how many tokens it may still get.'),
        params: accountPath,
        body: balanceChange,
        sample: { ...sample, body: { environment: 'test', add: 100 } },
        answers: { 200: json('The new balance.', shownBalance) },
      },
    },
    async ({ params, body }, reply) => sendJson(reply, await administration.changeBalance(params.id, body)),
  )

  api.post(
    '/accounts/:id/authenticators',
    {
      schema: {
        ...administrative(
          'rotateAuthenticator',
          'A new authenticator; those before it without a name stay valid for a while.',
          {
            409: 'The account has this authenticator already.',
          },
        ),
        params: accountPath,
        body: rotation,
        sample: { ...sample, body: { environment: 'test' } },
        answers: { 201: json('The new authenticator.', rotatedAuthenticator) },
      },
    },
    async ({ params, body }, reply) => sendJson(reply.code(201), await administration.rotate(params.id, body)),
  )

  api.post(
    '/accounts/:id/authenticators/:environment',
    {
      schema: {
        ...administrative('addAuthenticator', 'Another authenticator, with a name, beside those that are there.', {
          409: 'The account has this authenticator already, or one with this name.',
        }),
        params: authenticatorsPath,
        body: authenticatorAddition,
        sample: {
          parameters: { ...sample.parameters, environment: 'test' },
          body: { name: 'storefront', validUntil: '2100-01-01T00:00:00Z' },
        },
        answers: { 201: created('The new authenticator.', addedAuthenticator) },
      },
    },
    async ({ params: { id, environment }, body }, reply) => {
      const added = await administration.addAuthenticator(id, environment, body)
      const name = encodeURIComponent(added.name)
      reply.code(201).header('location', `${app.prefix}/accounts/${id}/authenticators/${environment}/${name}`)
      return sendJson(reply, added)
    },
  )

  api.delete(
    '/accounts/:id/authenticators/:environment/:name',
    {
      schema: {
        ...administrative('removeAuthenticator', 'Remove an authenticator. It ends at once.'),
        params: authenticatorPath,
        sample: { parameters: { ...sample.parameters, environment: 'test', name: 'storefront' } },
        answers: { 204: { description: 'It is not valid any more.' } },
      },
    },
    async ({ params }, reply) => {
      await administration.removeAuthenticator(params)
      return reply.code(204).send()
    },
  )
}

/** Before anything of a request is read; also where there is no such path, so that a stranger learns no paths. */
function guard(app: FastifyInstance, access: AdminAccess): void {
  // When the address was counted: guessing is limited, too.
  app.addHook('preParsing', (request, reply, _payload, next) => {
    const admission = access(request.raw)
    if (admission === 'admitted') return next()
    if ('refused' in admission) return next(new StatusError(403, admission.refused))
    reply.header('www-authenticate', 'Bearer realm="admin"')
    next(new StatusError(401, admission.unauthorized))
  })
}
