import formbody from '@fastify/formbody'
import type { FastifyInstance } from 'fastify'
import { adminRoutes } from '../routes/admin.js'
import { answering } from '../routes/answering.js'
import { crossSite } from '../routes/cross-site.js'
import { docsRoutes } from '../routes/docs.js'
import { draining } from '../routes/draining.js'
import { httpRules } from '../routes/http-rules.js'
import { keystoreRoutes } from '../routes/keystore.js'
import { licenceRoutes } from '../routes/licences.js'
import { limiting } from '../routes/limiting.js'
import { operationsRoutes } from '../routes/operations.js'
import { playerRoutes } from '../routes/player.js'
import { recordRoutes } from '../routes/records.js'
import { tokenRoutes } from '../routes/token.js'
import { toolRoutes } from '../routes/tools.js'
import { adminAccess } from './admin-access.js'
import { httpServer } from './http-server.js'
import { isLoopbackAddress } from './local-hosts.js'
import type { Services } from './services.js'
import { packageVersion } from './version.js'

/** The application: built from its services, listening nowhere. They start and stop with it. */
export async function buildApp(services: Services): Promise<FastifyInstance> {
  const { config, store, accounts, administration, keys, schema, metrics, limit, requests, logger } = services
  const { upstream, licences, clearKeyUrl } = services.issuing
  const environment = config.ENVIRONMENT

  const app = httpServer({ config, random: services.random, logger, metrics, addresses: services.addresses })
  await app.register(formbody)
  await app.register(answering, { logger, metrics })
  await app.register(draining)
  await app.register(limiting, { addresses: services.addresses })
  await app.register(httpRules)
  await app.register(crossSite, {
    origins: config.CORS_ORIGINS,
    publicUrl: config.PUBLIC_URL,
    localNames: isLoopbackAddress(config.HOST) ? (config.ADMIN_HOSTS ?? []) : undefined,
  })
  const readsIdempotencyKey = config.IDEMPOTENCY_SECONDS > 0
  await app.register(tokenRoutes, { schema, requests, metrics, environment, clearKeyUrl, readsIdempotencyKey })
  const callers = { accounts, limit, environment }
  await app.register(recordRoutes, { ...callers, lookUp: services.lookUp })
  await app.register(keystoreRoutes, { ...callers, prefix: '/keystore', keys, logger })
  await app.register(toolRoutes, { prefix: '/tools', publicUrl: config.PUBLIC_URL })
  const players = { metrics, origins: config.CORS_ORIGINS }
  if (licences === undefined)
    await app.register(licenceRoutes, { ...players, redemption: services.redemption, believesDeviceHeader: true })
  else {
    const { forwardedLicenceRoutes } = await import('../routes/forwarded-licences.js')
    await app.register(forwardedLicenceRoutes, { ...players, licences, logger, environment })
  }
  const access = adminAccess(config.ADMIN_TOKEN, config.MODE === 'emulate', config.ADMIN_HOSTS)
  if (access !== undefined)
    await app.register(adminRoutes, { prefix: '/admin/api', administration, contents: services.contents, access })
  await app.register(playerRoutes, { accounts, environment })
  await app.register(operationsRoutes, { metrics, store, upstream })
  await app.register(docsRoutes, { version: packageVersion() })
  app.addHook('onReady', async () => {
    services.retention.start()
    void services.resealing.start()
  })
  app.addHook('onClose', () => services.close())
  return app
}
