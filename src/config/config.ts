import { join } from 'node:path'
import * as z from 'zod'
import { ConfigError } from '../errors/config-error.js'
import { readSecretFiles } from './secret-files.js'
import { type ReadSettings, type SettingName, type Settings, settingNames, settings } from './setting-groups.js'
import { type AskedEntitlement, readAskedEntitlement } from './settings-asked-entitlement.js'
import { type EntitlementSettings, readEntitlement } from './settings-entitlement.js'
import { readJournalSize } from './settings-journal.js'
import { readTls, type TlsSettings } from './settings-server.js'
import { readUpstream, type UpstreamSettings } from './settings-upstream.js'
import { notKnown } from './unknown-names.js'

type Common = Omit<
  ReadSettings,
  | 'MODE'
  | 'CATALOGUE_FILE'
  | 'JOURNAL_SIZE'
  | `DATABASE_URL${string}`
  | 'ADMIN_TOKEN_FILE'
  | 'TOKEN_KEYS_FILE'
  | 'TLS'
  | `TLS_${string}`
  | `UPSTREAM_${string}`
  | `ENTITLEMENT_${string}`
> & {
  readonly DATABASE_URL: string
  readonly JOURNAL_SIZE: number
  readonly entitlement?: EntitlementSettings | undefined
  readonly askedEntitlement?: AskedEntitlement | undefined
  readonly tls?: TlsSettings | undefined
}
/** What each mode has to have. */
type Emulating = { readonly MODE: 'emulate' }
type Gateway = { readonly MODE: 'gateway'; readonly upstream: UpstreamSettings }
type Replaying = { readonly MODE: 'replay'; readonly RECORD_DIR: string } & Pick<
  ReadSettings,
  'UPSTREAM_UNKNOWN_PARAMETERS'
>
export type Config = Readonly<Common> & (Emulating | Gateway | Replaying)

/** Reads and freezes the configuration, or throws a ConfigError with every fault of it. */
export function readConfig(given: Settings): Config {
  const known: ReadonlySet<string> = new Set(settingNames)
  const unknown = Object.keys(given).filter(name => !known.has(name))
  const faults = unknown.map(name => notKnown(name, 'a setting', settingNames))
  const values = readSecretFiles(givenTexts(given), faults)
  const parsed = settings.safeParse(Object.fromEntries([...values].map(([name, { text }]) => [name, text])))
  for (const { path, message } of parsed.error?.issues ?? []) {
    const name = path[0] as SettingName // the settings are no deeper
    const from = values.get(name)?.from ?? name
    faults.push(`${name}${from === name ? '' : ` (from ${from})`} ${message}`)
  }
  if (parsed.data === undefined || faults.length > 0) throw new ConfigError(faults)
  return Object.freeze(configOf(parsed.data))
}

/** An empty value of a setting without a default is no value: `.env.example` shows such a setting so. */
function givenTexts(given: Settings): ReadonlyMap<SettingName, string> {
  const texts = new Map<SettingName, string>()
  for (const name of settingNames) {
    const value = given[name]
    if (value === undefined || (value === '' && settings.shape[name] instanceof z.ZodOptional)) continue
    texts.set(name, String(value))
  }
  return texts
}

function configOf(read: ReadSettings): Config {
  const faults = settingsWithoutPartner(read)
  const entitlement = readEntitlement(read, faults)
  const askedEntitlement = readAskedEntitlement(read, faults)
  const tls = readTls(read, faults)
  if (faults.length > 0) throw new ConfigError(faults)
  const databaseUrl = read.DATABASE_URL ?? databaseIn(read.DATA_DIR)
  const journalSize = readJournalSize(read, read.MODE === 'gateway')
  const common = {
    ...read,
    DATABASE_URL: databaseUrl,
    JOURNAL_SIZE: journalSize,
    entitlement,
    askedEntitlement,
    tls,
  }
  switch (read.MODE) {
    case 'emulate':
      return { ...common, MODE: 'emulate' }
    case 'gateway':
      if (read.PROXY_PORT !== undefined)
        throw new ConfigError([
          'PROXY_PORT is for MODE=emulate and MODE=replay: clients of a gateway know its own name',
        ])
      return { ...common, MODE: 'gateway', upstream: readUpstream(read) }
    case 'replay':
      if (read.RECORD_DIR === undefined) throw new ConfigError(['RECORD_DIR must be given with MODE=replay'])
      return { ...common, MODE: 'replay', RECORD_DIR: read.RECORD_DIR }
  }
}

/** Without a DATABASE_URL it is a file in the data directory, and without that it is memory. */
function databaseIn(dataDirectory: string): string {
  return dataDirectory === '' ? 'memory:' : `sqlite:${join(dataDirectory, 'expressplay.db')}`
}

/** Settings that do nothing without another one. Who sets them believes that they guard something, so they are refused. */
const PARTNERS = {
  TLS_PORT: ['TLS', 'TLS_CERT', 'TLS_KEY'],
  ENTITLEMENT_PORT: [
    ...['ENTITLEMENT_TLS_CERT', 'ENTITLEMENT_TLS_KEY', 'ENTITLEMENT_CLIENT_CA', 'ENTITLEMENT_CLIENTS'],
    ...['ENTITLEMENT_PROXIES', 'ENTITLEMENT_ACCOUNT', 'CATALOGUE_FILE', 'ENTITLEMENT_WEBHOOK_URL'],
  ],
  ENTITLEMENT_WEBHOOK_URL: ['ENTITLEMENT_WEBHOOK_SECRET', 'ENTITLEMENT_WEBHOOK_CA'],
  ENTITLEMENT_URL: ['ENTITLEMENT_URL_CERT', 'ENTITLEMENT_URL_KEY', 'ENTITLEMENT_URL_CA'],
} as const

function settingsWithoutPartner(given: ReadSettings): string[] {
  return Object.entries(PARTNERS).flatMap(([partner, names]) =>
    given[partner as keyof typeof PARTNERS] !== undefined // the table's own keys
      ? []
      : names.filter(name => given[name] !== undefined).map(name => `${name} has no use without ${partner}`),
  )
}
