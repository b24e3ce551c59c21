import * as z from 'zod'
import { accountsGroup } from './settings-accounts.js'
import { askedEntitlementGroup } from './settings-asked-entitlement.js'
import { databaseGroup } from './settings-database.js'
import { emulatorGroup } from './settings-emulator.js'
import { entitlementGroup, webhookGroup } from './settings-entitlement.js'
import { journalGroup } from './settings-journal.js'
import { limitsGroup, serverGroup } from './settings-server.js'
import { tokensGroup } from './settings-tokens.js'
import { upstreamGroup } from './settings-upstream.js'

/** Every group of settings, in the order in which they are documented. */
export const settingGroups = {
  server: serverGroup,
  database: databaseGroup,
  accounts: accountsGroup,
  tokens: tokensGroup,
  limits: limitsGroup,
  journal: journalGroup,
  emulator: emulatorGroup,
  upstream: upstreamGroup,
  entitlement: entitlementGroup,
  webhook: webhookGroup,
  'asked-entitlement': askedEntitlementGroup,
}

/**
 * Every setting with its rule and its default. The names are those of the environment variables, everywhere: in `.env`,
 * in the options of `startServer`, and in the messages about wrong values.
 */
export const settings = z.object({
  ...serverGroup.shape,
  ...databaseGroup.shape,
  ...accountsGroup.shape,
  ...tokensGroup.shape,
  ...limitsGroup.shape,
  ...journalGroup.shape,
  ...emulatorGroup.shape,
  ...upstreamGroup.shape,
  ...entitlementGroup.shape,
  ...webhookGroup.shape,
  ...askedEntitlementGroup.shape,
})

export type ReadSettings = z.output<typeof settings>
export type SettingName = keyof ReadSettings
/** Settings as they are given: by name, as text or as a number. */
export type Settings = { readonly [name in SettingName]?: string | number | undefined }

export const settingNames = Object.keys(settings.shape) as readonly SettingName[] // the shape's own keys
