import { accessSync, constants, existsSync } from 'node:fs'
import { isIP, isIPv4 } from 'node:net'
import { join } from 'node:path'
import { z } from 'zod'
import { LONGEST_OVERLAP } from '../schemas/admin.js'
import { ENVIRONMENTS } from './environment.js'

/**
 * Every setting, its rule and its default. The names are those of the environment variables, everywhere: in `.env`,
 * in the options of `startServer`, and in what is said of a wrong value. `.env.example` explains each.
 */
const settings = z.object({
  HOST: z.string().min(1, 'must be an address to listen on, such as 127.0.0.1 or 0.0.0.0').default('127.0.0.1'),
  PORT: wholeNumber(0, 65535).default(8080),
  MODE: oneOf(['emulate']).default('emulate'),
  ENVIRONMENT: oneOf(ENVIRONMENTS).default('test'),
  PUBLIC_URL: optional(asHttpUrl),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  DATA_DIR: z.string().default('./data'),
  DATABASE_URL: optional(asDatabaseUrl),
  LOG_RETENTION_DAYS: wholeNumber(0, 36_500).default(0),
  ACCOUNTS_FILE: optional(asReadableFile),
  ADMIN_TOKEN: optional(asAdminToken),
  AUTHENTICATOR_OVERLAP: wholeNumber(0, LONGEST_OVERLAP).default(86_400),
  TOKEN_KEYS: optional(asTokenKeys),
  BODY_LIMIT: wholeNumber(1024, 16 * 1024 * 1024).default(65_536),
  CORS_ORIGINS: z.string().transform(asOrigins).default('*'),
  TRUSTED_PROXIES: optional(asNetworks),
  SHUTDOWN_TIMEOUT: wholeNumber(1, 600).default(10),
})

type Read = z.output<typeof settings>
export type Config = Readonly<Omit<Read, 'DATABASE_URL'> & { DATABASE_URL: string }>
export type SettingName = keyof Config
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
  if (parsed.success)
    return Object.freeze({ ...parsed.data, DATABASE_URL: parsed.data.DATABASE_URL ?? databaseIn(parsed.data.DATA_DIR) })
  throw new ConfigError(parsed.error.issues.map(issue => `${String(issue.path[0])} ${issue.message}`))
}

/** The settings of this process: the environment, and what a `.env` file beside it adds. */
export function environmentSettings(): Settings {
  if (existsSync('.env')) process.loadEnvFile('.env')
  return process.env
}

function wholeNumber(least: number, most: number) {
  const allowed = `must be a whole number from ${least} to ${most}`
  return z
    .string()
    .regex(/^\d{1,9}$/, allowed)
    .transform(Number)
    .refine(number => number >= least && number <= most, allowed)
}

function oneOf<const T extends readonly string[]>(values: T) {
  return z.enum(values, `must be ${values.length === 1 ? values[0] : `one of ${values.join(', ')}`}`)
}

/** An empty value is no value: that is how `.env.example` shows a variable without a default. */
function optional<T>(read: (text: string, context: z.RefinementCtx) => T) {
  return z
    .string()
    .transform((text, context) => (text === '' ? undefined : read(text, context)))
    .optional()
}

function asHttpUrl(text: string, context: z.RefinementCtx): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' && !url.username)
    return url
  context.addIssue({ code: 'custom', message: 'must be an http or https URL, such as https://drm.example.com' })
  return z.NEVER
}

/** Without a DATABASE_URL it is a file in the data directory, and without that it is memory. */
function databaseIn(dataDirectory: string): string {
  return dataDirectory === '' ? 'memory:' : `sqlite:${join(dataDirectory, 'expressplay.db')}`
}

function asDatabaseUrl(text: string, context: z.RefinementCtx): string {
  if (text === 'memory:' || /^sqlite:(?!:memory:$)[^?]+$/.test(text)) return text
  if (/^postgres(?:ql)?:\/\//.test(text) && URL.canParse(text)) return text
  context.addIssue({ code: 'custom', message: 'must be memory:, sqlite:<path of a file> or postgres://…' })
  return z.NEVER
}

function asReadableFile(path: string, context: z.RefinementCtx): string {
  try {
    accessSync(path, constants.R_OK)
    return path
  } catch {
    context.addIssue({ code: 'custom', message: 'must be the path of a file that can be read' })
    return z.NEVER
  }
}

/** It is sent in a header, so it has characters that a header may have. */
function asAdminToken(text: string, context: z.RefinementCtx): string {
  if (/^[\x21-\x7e]{16,}$/.test(text)) return text
  context.addIssue({ code: 'custom', message: 'must have at least 16 characters: ASCII, no spaces' })
  return z.NEVER
}

function asTokenKeys(text: string, context: z.RefinementCtx): [Buffer, ...Buffer[]] {
  const [first, ...others] = text.split(',').map(key => key.trim())
  if (first !== undefined && [first, ...others].every(key => /^[0-9A-Fa-f]{64}$/.test(key)))
    return [Buffer.from(first, 'hex'), ...others.map(key => Buffer.from(key, 'hex'))]
  context.addIssue({ code: 'custom', message: 'must be keys of 64 hexadecimal digits, separated by commas' })
  return z.NEVER
}

/** Written as a browser writes the Origin header, because the two are compared. */
function asOrigins(text: string, context: z.RefinementCtx): '*' | string[] {
  if (text === '*') return '*'
  const origins = text.split(',').map(origin => origin.trim())
  if (origins.every(origin => URL.canParse(origin) && new URL(origin).origin === origin)) return origins
  context.addIssue({
    code: 'custom',
    message: 'must be * or origins such as https://player.example.com, separated by commas',
  })
  return z.NEVER
}

function asNetworks(text: string, context: z.RefinementCtx): string[] {
  const networks = text.split(',').map(network => network.trim())
  if (networks.every(isNetwork)) return networks
  context.addIssue({
    code: 'custom',
    message: 'must be addresses or networks such as 10.0.0.0/8, separated by commas',
  })
  return z.NEVER
}

function isNetwork(text: string): boolean {
  const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  return isIP(address) !== 0 && !address.includes('%') && Number(prefix ?? 0) <= (isIPv4(address) ? 32 : 128)
}
