import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { z } from 'zod'
import { LONGEST_OVERLAP } from '../schemas/admin.js'
import { type AskedEntitlement, type EntitlementSettings, entitlementSettings } from './entitlement/settings.js'
import { ENVIRONMENTS } from './ground/environment.js'
import {
  asClientNames,
  asDatabaseUrl,
  asHeaderNames,
  asHostnames,
  asHttpUrl,
  asNetworks,
  asOrigins,
  asProxies,
  asReadableFile,
  asSecret,
  asTokenKeys,
  asWholeNumber,
  oneOf,
  optional,
  truth,
  wholeNumber,
} from './setting-rules.js'
import { REGIONS } from './upstream/hosts.js'
import { type UpstreamSettings, upstreamSettings } from './upstream/settings.js'

/**
 * Every setting, its rule and its default. The names are those of the environment variables, everywhere: in `.env`,
 * in the options of `startServer`, and in what is said of a wrong value. `.env.example` explains each.
 */
const settings = z.object({
  HOST: z.string().min(1, 'must be an address to listen on, such as 127.0.0.1 or 0.0.0.0').default('127.0.0.1'),
  PORT: wholeNumber(0, 65535).default(8080),
  MODE: oneOf(['emulate', 'gateway', 'replay']).default('emulate'),
  ENVIRONMENT: oneOf(ENVIRONMENTS).default('test'),
  PUBLIC_URL: optional(asHttpUrl),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  DATA_DIR: z.string().default('./data'),
  DATABASE_URL: optional(asDatabaseUrl),
  LOG_RETENTION_DAYS: wholeNumber(0, 36_500).default(0),
  ACCOUNTS_FILE: optional(asReadableFile),
  ADMIN_TOKEN: optional(asSecret),
  ADMIN_HOSTS: optional(asHostnames),
  AUTHENTICATOR_OVERLAP: wholeNumber(0, LONGEST_OVERLAP).default(86_400),
  TOKEN_KEYS: optional(asTokenKeys),
  BODY_LIMIT: wholeNumber(1024, 16 * 1024 * 1024).default(65_536),
  CORS_ORIGINS: z.string().transform(asOrigins).default('*'),
  TRUSTED_PROXIES: optional(asNetworks),
  REQUEST_TIMEOUT: wholeNumber(1, 600_000).default(30_000),
  ANSWER_TIMEOUT: wholeNumber(1, 60_000).default(30_000),
  SHUTDOWN_TIMEOUT: wholeNumber(1, 600).default(15),
  RATE_LIMIT_PER_ADDRESS: wholeNumber(0, 10_000_000).default(0),
  RATE_LIMIT_PER_ACCOUNT: wholeNumber(0, 10_000_000).default(0),
  IDEMPOTENCY_SECONDS: wholeNumber(0, 2_592_000).default(86_400),
  UPSTREAM_REGION: oneOf(REGIONS).default('europe'),
  UPSTREAM_TEST_URL: optional(asHttpUrl),
  UPSTREAM_PRODUCTION_URL: optional(asHttpUrl),
  UPSTREAM_TEST_LICENCE_URL: optional(asHttpUrl),
  UPSTREAM_PRODUCTION_LICENCE_URL: optional(asHttpUrl),
  UPSTREAM_TEST_API_URL: optional(asHttpUrl),
  UPSTREAM_PRODUCTION_API_URL: optional(asHttpUrl),
  UPSTREAM_LICENCE_HEADERS: optional(asHeaderNames),
  UPSTREAM_UNKNOWN_PARAMETERS: oneOf(['pass', 'drop']).default('pass'),
  UPSTREAM_CONNECT_TIMEOUT: wholeNumber(1, 60_000).default(2000),
  UPSTREAM_TIMEOUT: wholeNumber(1, 120_000).default(10_000),
  UPSTREAM_CONNECTIONS: wholeNumber(1, 1024).default(64),
  UPSTREAM_QUEUE: wholeNumber(0, 100_000).default(256),
  UPSTREAM_BREAKER_PAUSE: wholeNumber(1, 600_000).default(5000),
  HIDE_UPSTREAM: truth.default(false),
  RECORD_DIR: optional(text => text),
  ENTITLEMENT_PORT: optional(asWholeNumber(0, 65535)),
  ENTITLEMENT_TLS_CERT: optional(asReadableFile),
  ENTITLEMENT_TLS_KEY: optional(asReadableFile),
  ENTITLEMENT_CLIENT_CA: optional(asReadableFile),
  ENTITLEMENT_CLIENTS: optional(asClientNames),
  ENTITLEMENT_PROXIES: optional(asProxies),
  ENTITLEMENT_PROXY_HEADER: z
    .string()
    .regex(/^[A-Za-z][\w-]{0,63}$/, 'must be the name of a header')
    .default('Client-Cert'),
  ENTITLEMENT_ACCOUNT: optional(asWholeNumber(1, 0xffffffff)),
  CATALOGUE_FILE: optional(asReadableFile),
  ENTITLEMENT_WEBHOOK_URL: optional(asHttpUrl),
  ENTITLEMENT_WEBHOOK_SECRET: optional(asSecret),
  ENTITLEMENT_WEBHOOK_TIMEOUT: wholeNumber(1, 60_000).default(2000),
  ENTITLEMENT_WEBHOOK_CACHE: wholeNumber(0, 86_400).default(0),
  ENTITLEMENT_WEBHOOK_CA: optional(asReadableFile),
  ENTITLEMENT_URL: optional(asHttpUrl),
  ENTITLEMENT_URL_CERT: optional(asReadableFile),
  ENTITLEMENT_URL_KEY: optional(asReadableFile),
  ENTITLEMENT_URL_CA: optional(asReadableFile),
  ENTITLEMENT_URL_TIMEOUT: wholeNumber(1, 60_000).default(2000),
  ENTITLEMENT_URL_WHEN: oneOf(['always', 'without-token']).default('always'),
})

type Read = z.output<typeof settings>
type Common = Omit<
  Read,
  'MODE' | 'DATABASE_URL' | 'CATALOGUE_FILE' | `UPSTREAM_${string}` | `ENTITLEMENT_${string}`
> & {
  readonly DATABASE_URL: string
  readonly entitlement?: EntitlementSettings | undefined
  readonly askedEntitlement?: AskedEntitlement | undefined
}
/** What each mode has to have. */
type Emulating = { readonly MODE: 'emulate' }
type Gateway = { readonly MODE: 'gateway'; readonly upstream: UpstreamSettings }
type Replaying = { readonly MODE: 'replay'; readonly RECORD_DIR: string } & Pick<Read, 'UPSTREAM_UNKNOWN_PARAMETERS'>
export type Config = Readonly<Common> & (Emulating | Gateway | Replaying)
export type SettingName = keyof Read
export type Settings = { readonly [name in SettingName]?: string | number | undefined }

export const settingNames = Object.keys(settings.shape) as readonly SettingName[] // the shape's own keys

/** All that is wrong with the settings, a line for each. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(faults.join('\n'))
    this.name = 'ConfigError'
  }
}

/** Reads and freezes the configuration, or throws a ConfigError with every fault of it. */
export function readConfig(given: Settings): Config {
  const texts = settingNames.flatMap(name => (given[name] === undefined ? [] : [[name, String(given[name])]]))
  const parsed = settings.safeParse(Object.fromEntries(texts))
  if (parsed.success) return Object.freeze(configOf(parsed.data))
  throw new ConfigError(parsed.error.issues.map(issue => `${String(issue.path[0])} ${issue.message}`))
}

function configOf(read: Read): Config {
  const { entitlement, askedEntitlement, faults } = entitlementSettings(read)
  if (faults.length > 0) throw new ConfigError(faults)
  const databaseUrl = read.DATABASE_URL ?? databaseIn(read.DATA_DIR)
  const common = { ...read, DATABASE_URL: databaseUrl, entitlement, askedEntitlement }
  switch (read.MODE) {
    case 'emulate':
      return { ...common, MODE: 'emulate' }
    case 'gateway':
      return { ...common, MODE: 'gateway', upstream: upstreamSettings(read) }
    case 'replay':
      if (read.RECORD_DIR === undefined) throw new ConfigError(['RECORD_DIR must be given with MODE=replay'])
      return { ...common, MODE: 'replay', RECORD_DIR: read.RECORD_DIR }
  }
}

/** Without a DATABASE_URL it is a file in the data directory, and without that it is memory. */
function databaseIn(dataDirectory: string): string {
  return dataDirectory === '' ? 'memory:' : `sqlite:${join(dataDirectory, 'expressplay.db')}`
}

/** The settings in an environment. A `.env` file in the current folder adds to it first, as `process.loadEnvFile` would. */
export function environmentSettings(env: NodeJS.ProcessEnv): Settings {
  if (existsSync('.env'))
    for (const [name, value] of Object.entries(parseEnv(readFileSync('.env', 'utf8')))) env[name] ??= value
  return env
}
