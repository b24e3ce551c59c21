import type { EntitlementSettings } from './config/settings-entitlement.js'
import { CatalogueFile } from './entitlement/catalogue/file.js'
import {
  type ClientAuthentication,
  clientAuthentication,
} from './entitlement/client-authentication/client-authentication.js'
import { type Contents, firstOf } from './entitlement/content.js'
import { LedgerDevices } from './entitlement/devices.js'
import { Entitlements } from './entitlement/entitlements.js'
import { Webhook } from './entitlement/webhook/webhook.js'
import { ConfigError } from './errors/config-error.js'
import { Closing } from './ground/closing.js'
import type { Services } from './services.js'

export interface EntitlementServicesParts {
  readonly services: Services
  readonly settings: EntitlementSettings
  /** Whose tokens are given out. */
  readonly customerId: number
}

export interface EntitlementServices {
  readonly entitlements: Entitlements
  readonly authentication: ClientAuthentication
  close(): Promise<void>
}

/** What the entitlement service's application calls. */
export async function buildEntitlementServices(parts: EntitlementServicesParts): Promise<EntitlementServices> {
  const closing = new Closing()
  return openEntitlementServices(parts, closing).catch(failure => closing.closeAfter(failure))
}

async function openEntitlementServices(
  { services, settings, customerId }: EntitlementServicesParts,
  closing: Closing,
): Promise<EntitlementServices> {
  const { config, store, logger, metrics, machine: clock, random } = services
  if ((await services.accounts.find(customerId)) === undefined)
    throw new ConfigError([`ENTITLEMENT_ACCOUNT must be an account that there is, and ${customerId} is none`])
  const file =
    settings.catalogueFile === undefined
      ? undefined
      : await CatalogueFile.open({ path: settings.catalogueFile, clock, logger })
  closing.add(() => file?.close())
  const sources: Contents[] = file === undefined ? [services.contents] : [file, services.contents]
  const { webhook } = settings
  const elapsed = () => services.clock.elapsed(customerId)
  const authorizer = webhook && new Webhook({ settings: webhook, clock, elapsed, random, logger })
  closing.add(() => authorizer?.close())
  services.emulator?.addPart({
    name: 'verdicts',
    isCache: true,
    reset: resetId => {
      if (resetId === undefined || resetId === customerId) authorizer?.clearCache()
    },
  })
  const entitlements = new Entitlements({
    ...services,
    issuer: services.issuing.issuer,
    customerId,
    environment: config.ENVIRONMENT,
    contents: firstOf(sources),
    authorizer,
    devices: services.issuing.devices ?? new LedgerDevices(store.events),
  })
  closing.add(() => entitlements.close())
  const authentication = clientAuthentication({ settings, clock, logger, metrics })
  closing.add(() => authentication.close())
  return { entitlements, authentication, close: () => closing.close() }
}
