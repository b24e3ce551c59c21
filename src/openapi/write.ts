import { writeFileSync } from 'node:fs'
import fastify, { type FastifyPluginAsync } from 'fastify'
import { pino } from 'pino'
import { entitlementRoutes } from '../../routes/entitlement.js'
import { application } from '../app.js'
import { readConfig } from '../config/config.js'
import { machineClock } from '../ground/clock.js'
import { builtFile } from '../ground/own-package.js'
import { pooledRandomness, randomBytes } from '../ground/randomness.js'
import { entitlementErrors } from '../http/error-forms.js'
import { errors } from '../http/errors.js'
import { buildServices } from '../services.js'
import { openStore } from '../store/store.js'
import { TokenVault } from '../tokens/vault.js'
import { openApiDocument, type Route } from './document.js'
import { entitlementService, service } from './outlines.js'

const random = pooledRandomness()
const logger = pino({ level: 'silent' })
const store = await openStore('memory:')
const services = await buildServices({
  config: readConfig({ LOG_LEVEL: 'silent' }),
  store,
  accounts: [],
  vault: new TokenVault([randomBytes(random, 32)], random),
  logger,
  clock: machineClock(),
  random,
})

const routes = await routesOf(async app => void (await app.register(application, { services })))
const entitlement = await routesOf(async app => {
  await app.register(errors, { logger, errorForm: entitlementErrors })
  // It is never called: only its routes are read.
  await app.register(entitlementRoutes, { entitlements: undefined as never, customerId: 0, licenceHost: () => '' })
})
await store.close()

write('openapi.json', openApiDocument(routes, service))
write('openapi-entitlement.json', openApiDocument(entitlement, entitlementService))

/** The routes that a plugin registers. */
async function routesOf(plugin: FastifyPluginAsync): Promise<Route[]> {
  const routes: Route[] = []
  const app = fastify()
  app.addHook('onRoute', route => void routes.push(route))
  await plugin(app, {})
  await app.ready()
  await app.close()
  return routes
}

function write(name: string, document: object): void {
  writeFileSync(builtFile(name), JSON.stringify(document))
}
