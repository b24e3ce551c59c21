import formbody from '@fastify/formbody'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { adminRoutes } from '../routes/admin.js'
import { authorityRoutes } from '../routes/authority.js'
import { docsRoutes } from '../routes/docs.js'
import { keystoreRoutes } from '../routes/keystore.js'
import { licenceRoutes } from '../routes/licences.js'
import { operationsRoutes } from '../routes/operations.js'
import { playerRoutes } from '../routes/player.js'
import { recordRoutes } from '../routes/records.js'
import { tokenRoutes } from '../routes/tokens.js'
import { toolRoutes } from '../routes/tools.js'
import type { EntitlementSettings } from './config/settings-entitlement.js'
import type { EntitlementServices } from './entitlement-services.js'
import { Closing } from './ground/closing.js'
import { AddressList } from './ground/ip-addresses.js'
import { isLoopbackAddress } from './ground/local-hosts.js'
import { plainHost } from './ground/real-hosts.js'
import { FAULT_HEADER } from './ground/request-trace.js'
import { adminAccess } from './http/admin-access.js'
import { answering } from './http/answering.js'
import { type CrossSiteOptions, crossSite } from './http/cross-site.js'
import { draining } from './http/draining.js'
import { type ErrorForm, entitlementErrors } from './http/error-forms.js'
import { errors } from './http/errors.js'
import { gateHandlers } from './http/gated-handlers.js'
import { httpRules } from './http/http-rules.js'
import { httpServer } from './http/http-server.js'
import { limiting } from './http/limiting.js'
import type { AddressLimit } from './limits/rate-limits.js'
import type { Services } from './services.js'

/** The application of these services, on a server of its own that does not listen yet. */
export async function buildApp(services: Services): Promise<FastifyInstance> {
  const app = httpServer(services)
  await app.register(application, { services })
  return app
}

/** The application as a plugin, for any Fastify and any prefix of it. Its services start and stop with it. */
export async function application(app: FastifyInstance, { services }: { services: Services }): Promise<void> {
  const { config, ports, store, accounts, administration, keys, families, metrics, limit, requests, logger } = services
  const { upstream, licences, clearKeyUrl } = services.issuing
  const environment = config.ENVIRONMENT
  const gate = services.emulator?.gate

  app.removeAllContentTypeParsers()
  await app.register(formbody)
  await addEdge(app, services, {
    addresses: services.addresses,
    publicUrl: config.PUBLIC_URL,
    localNames: isLoopbackAddress(config.HOST) ? (config.ADMIN_HOSTS ?? []) : undefined,
  })
  const readsIdempotencyKey = config.IDEMPOTENCY_SECONDS > 0
  for (const one of requests)
    await app.register(tokenRoutes, { requests: one, metrics, environment, clearKeyUrl, readsIdempotencyKey })
  const callers = { accounts, limit, environment }
  await app.register(recordRoutes, { ...callers, lookUp: services.lookUp })
  await app.register(keystoreRoutes, { ...callers, prefix: '/keystore', keys, logger, gate })
  await app.register(toolRoutes, { prefix: '/tools', reachedAt: { publicUrl: config.PUBLIC_URL, ports } })
  const exposedHeaders = services.emulator === undefined ? [] : [FAULT_HEADER]
  const players = { families, metrics, origins: config.CORS_ORIGINS, exposedHeaders }
  if (licences === undefined)
    await app.register(licenceRoutes, { ...players, redemption: services.redemption, believesDeviceHeader: true })
  else {
    const { forwardedLicenceRoutes } = await import('../routes/forwarded-licences.js')
    await app.register(forwardedLicenceRoutes, { ...players, licences, logger, environment })
  }
  const access = adminAccess(config.ADMIN_TOKEN, config.MODE !== 'gateway', config.ADMIN_HOSTS)
  await app.register(adminRoutes, {
    prefix: ADMIN_API,
    administration,
    contents: services.contents,
    access,
    emulator: services.emulator,
    observation: services.observation,
    isReadOnly: config.MODE === 'gateway',
  })
  await app.register(authorityRoutes, { ca: services.proxyCertificates?.ca })
  await app.register(playerRoutes, { accounts, environment })
  await app.register(operationsRoutes, { metrics, store, upstream })
  await app.register(docsRoutes)
  app.addHook('onReady', async () => {
    services.retention.start()
    void services.resealing.start()
  })
  // They are never answered otherwise.
  app.addHook('preClose', async () => services.observation?.close())
  app.addHook('onClose', () => services.close())
}

const ADMIN_API = '/admin/api'

interface EdgeOptions extends Omit<CrossSiteOptions, 'origins'> {
  /** How many requests one address may send, where that is limited. */
  readonly addresses?: AddressLimit
  /** The form of all errors, where no request may ask for another. */
  readonly errorForm?: ErrorForm
  /** Who is let in, where not everybody is. */
  readonly guard?: (app: FastifyInstance) => void
}

/** What both applications do with every request, in this order. */
async function addEdge(app: FastifyInstance, services: Services, options: EdgeOptions) {
  const { config, logger, metrics, journal } = services
  const { addresses, errorForm, guard, ...crossing } = options
  const traces = services.emulator !== undefined || journal !== undefined
  await app.register(answering, { logger, metrics, traces, journal })
  await app.register(errors, { logger, errorForm })
  if (services.emulator !== undefined) {
    const { faultInjection } = await import('./http/fault-injection.js')
    // A request that a fault holds up is not at work: neither before its handler nor in its answer.
    gateHandlers(app, services.emulator.gate, `${app.prefix}${ADMIN_API}`)
    await app.register(faultInjection, services.emulator)
  }
  guard?.(app)
  await app.register(draining)
  await app.register(limiting, { addresses })
  await app.register(httpRules)
  await app.register(crossSite, { origins: config.CORS_ORIGINS, ...crossing })
}

export interface EntitlementAppParts {
  readonly services: Services
  readonly settings: EntitlementSettings
  /** Whose tokens are given out. */
  readonly customerId: number
  /** The port of the licence endpoints. */
  readonly licencePort: number
}

/**
 * The entitlement service: an application of its own, because it has a port and a way to authenticate of its own. Only
 * those who run it wait for its libraries to load.
 */
export async function buildEntitlementApp(parts: EntitlementAppParts): Promise<FastifyInstance> {
  const { buildEntitlementServices } = await import('./entitlement-services.js')
  const built = await buildEntitlementServices(parts)
  const closing = new Closing()
  closing.add(() => built.close())
  return entitlementApp(parts, built).catch(failure => closing.closeAfter(failure))
}

async function entitlementApp(
  { services, settings, customerId, licencePort }: EntitlementAppParts,
  { entitlements, authentication, close }: EntitlementServices,
): Promise<FastifyInstance> {
  const app = httpServer({
    ...services,
    addresses: undefined,
    createServer: authentication.createServer?.bind(authentication),
    proxies: settings.authentication.kind === 'proxy' ? settings.authentication.proxies : undefined,
    errorForm: entitlementErrors,
  })
  await addEdge(app, services, { errorForm: entitlementErrors, guard: app => authentication.guard(app) })
  const { entitlementRoutes } = await import('../routes/entitlement.js')
  const trustedProxies = new AddressList(services.config.TRUSTED_PROXIES ?? [])
  const licenceHost = (request: FastifyRequest) => `${hostnameOf(request, trustedProxies)}:${licencePort}`
  await app.register(entitlementRoutes, { entitlements, customerId, licenceHost })
  app.addHook('onClose', close)
  return app
}

/**
 * Who reaches us under a name reaches our other port under it. A proxy that passes on certificates may pass on
 * X-Forwarded-Host as the client wrote it, so that header counts only from TRUSTED_PROXIES.
 */
function hostnameOf({ host, headers, socket }: FastifyRequest, trustedProxies: AddressList): string {
  const named = trustedProxies.has(socket.remoteAddress) ? host : (headers.host ?? '')
  return plainHost({ host: named }).replace(/:\d+$/, '')
}
