import type { FastifyInstance, FastifyRequest } from 'fastify'
import { plainHost } from '../routes/addressed-host.js'
import { answering } from '../routes/answering.js'
import { crossSite } from '../routes/cross-site.js'
import { draining } from '../routes/draining.js'
import { entitlementRoutes } from '../routes/entitlement.js'
import { httpRules } from '../routes/http-rules.js'
import { AddressList } from './address-list.js'
import { Closing } from './closing.js'
import { ConfigError } from './config.js'
import { CatalogueFile } from './entitlement/catalogue/file.js'
import { type Contents, firstOf } from './entitlement/content.js'
import { openDoor } from './entitlement/door/door.js'
import { Entitlements } from './entitlement/entitlements.js'
import { LedgerDevices } from './entitlement/ledger-devices.js'
import type { EntitlementSettings } from './entitlement/settings.js'
import { Webhook } from './entitlement/webhook/webhook.js'
import { httpServer } from './http-server.js'
import type { Services } from './services.js'

export interface EntitlementAppParts {
  readonly services: Services
  readonly settings: EntitlementSettings
  /** Whose tokens are given out. */
  readonly customerId: number
  /** The port of the licence endpoints. */
  readonly licencePort: number
}

/** The entitlement service: an application of its own, because it has a port and a way to authenticate of its own. */
export async function buildEntitlementApp(parts: EntitlementAppParts): Promise<FastifyInstance> {
  const closing = new Closing()
  return openEntitlementApp(parts, closing).catch(failure => closing.closeAfter(failure))
}

async function openEntitlementApp(parts: EntitlementAppParts, closing: Closing): Promise<FastifyInstance> {
  const { services, settings, customerId, licencePort } = parts
  const { config, store, logger, metrics, now, uptime, random } = services
  if ((await services.accounts.find(customerId)) === undefined)
    throw new ConfigError([`ENTITLEMENT_ACCOUNT must be an account that there is, and ${customerId} is none`])
  const file =
    settings.catalogueFile === undefined
      ? undefined
      : await CatalogueFile.open({ path: settings.catalogueFile, logger })
  closing.add(() => file?.close())
  const sources: Contents[] = file === undefined ? [services.contents] : [file, services.contents]
  const { webhook } = settings
  const judge = webhook && new Webhook({ settings: webhook, now, uptime, random, logger })
  closing.add(() => judge?.close())
  const entitlements = new Entitlements({
    ...services,
    issuer: services.issuing.issuer,
    customerId,
    environment: config.ENVIRONMENT,
    contents: firstOf(sources),
    judge,
    devices: services.issuing.devices ?? new LedgerDevices(store.events),
  })
  closing.add(() => entitlements.close())

  const trustedProxies = new AddressList(config.TRUSTED_PROXIES ?? [])
  const door = openDoor({ settings, now, logger, metrics })
  closing.add(() => door.close())
  const app = httpServer({
    config,
    random,
    logger,
    metrics,
    createServer: door.createServer?.bind(door),
    proxies: settings.door.kind === 'proxy' ? settings.door.proxies : undefined,
    errorFormat: 'entitlement',
  })
  app.addHook('onRequest', (_request, reply, next) => {
    reply.errorFormat = 'entitlement'
    next()
  })
  await app.register(answering, { logger, metrics })
  door.guard(app)
  await app.register(draining)
  await app.register(httpRules)
  await app.register(crossSite, { origins: config.CORS_ORIGINS })
  app.decorateReply('standing', undefined)
  await app.register(entitlementRoutes, {
    entitlements,
    licenceHost: request => `${hostnameOf(request, trustedProxies)}:${licencePort}`,
  })
  app.addHook('onClose', () => closing.close())
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
