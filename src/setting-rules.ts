import { accessSync, constants } from 'node:fs'
import { isIP, isIPv4 } from 'node:net'
import { z } from 'zod'
import { readClientName } from './entitlement/door/client-names.js'
import { mayBeForwarded } from './upstream/end-to-end-headers.js'

// How the text of a setting becomes its value, and what is said of a wrong one: never the value, it may be a secret.

export function wholeNumber(least: number, most: number) {
  const allowed = `must be a whole number from ${least} to ${most}`
  return z
    .string()
    .regex(/^\d{1,9}$/, allowed)
    .transform(Number)
    .refine(number => number >= least && number <= most, allowed)
}

/** The same where there is no default. */
export function asWholeNumber(least: number, most: number) {
  const rule = wholeNumber(least, most)
  return (text: string, context: z.RefinementCtx): number => {
    const read = rule.safeParse(text)
    if (read.success) return read.data
    context.addIssue({ code: 'custom', message: read.error.issues[0]?.message ?? 'is wrong' })
    return z.NEVER
  }
}

export function oneOf<const T extends readonly string[]>(values: T) {
  return z.enum(values, `must be ${values.length === 1 ? values[0] : `one of ${values.join(', ')}`}`)
}

export const truth = z.enum(['true', 'false'], 'must be true or false').transform(text => text === 'true')

/** An empty value is no value: that is how `.env.example` shows a variable without a default. */
export function optional<T>(read: (text: string, context: z.RefinementCtx) => T) {
  return z
    .string()
    .transform((text, context) => (text === '' ? undefined : read(text, context)))
    .optional()
}

export function asHttpUrl(text: string, context: z.RefinementCtx): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isHttp = url !== undefined && /^https?:$/.test(url.protocol)
  if (isHttp && ignoredOf(url) === '') return url
  const message = isHttp
    ? 'must be a URL without user name, password, query and fragment'
    : 'must be an http or https URL, such as https://drm.example.com'
  context.addIssue({ code: 'custom', message })
  return z.NEVER
}

/** What of a URL no request would be sent with. */
function ignoredOf({ username, password, search, hash }: URL): string {
  return username + password + search + hash
}

/** In lower case: as they are compared. */
export function asHeaderNames(text: string, context: z.RefinementCtx): ReadonlySet<string> {
  const names = text.split(',').map(name => name.trim().toLowerCase())
  if (names.every(mayBeForwarded)) return new Set(names)
  const message = 'must be names of headers, with commas, none of which is Host, Content-Length or of one connection'
  context.addIssue({ code: 'custom', message })
  return z.NEVER
}

export function asDatabaseUrl(text: string, context: z.RefinementCtx): string {
  if (text === 'memory:' || /^sqlite:(?!:memory:$)[^?]+$/.test(text)) return text
  if (/^postgres(?:ql)?:\/\//.test(text) && URL.canParse(text)) return text
  context.addIssue({ code: 'custom', message: 'must be memory:, sqlite:<path of a file> or postgres://…' })
  return z.NEVER
}

export function asReadableFile(path: string, context: z.RefinementCtx): string {
  try {
    accessSync(path, constants.R_OK)
    return path
  } catch {
    context.addIssue({ code: 'custom', message: 'must be the path of a file that can be read' })
    return z.NEVER
  }
}

/** It is sent in a header, so it has characters that a header may have. */
export function asSecret(text: string, context: z.RefinementCtx): string {
  if (/^[\x21-\x7e]{16,}$/.test(text)) return text
  context.addIssue({ code: 'custom', message: 'must have at least 16 characters: ASCII, no spaces' })
  return z.NEVER
}

export function asTokenKeys(text: string, context: z.RefinementCtx): [Buffer, ...Buffer[]] {
  const [first, ...others] = text.split(',').map(key => key.trim())
  if (first !== undefined && [first, ...others].every(key => /^[0-9A-Fa-f]{64}$/.test(key)))
    return [Buffer.from(first, 'hex'), ...others.map(key => Buffer.from(key, 'hex'))]
  context.addIssue({ code: 'custom', message: 'must be keys of 64 hexadecimal digits, separated by commas' })
  return z.NEVER
}

/** Written as a browser writes the Origin header, because the two are compared. */
export function asOrigins(text: string, context: z.RefinementCtx): '*' | string[] {
  if (text === '*') return '*'
  const origins = text.split(',').map(origin => origin.trim())
  if (origins.every(origin => URL.canParse(origin) && new URL(origin).origin === origin)) return origins
  context.addIssue({
    code: 'custom',
    message: 'must be * or origins such as https://player.example.com, separated by commas',
  })
  return z.NEVER
}

/** As they are compared: in lower case, without a port. */
export function asHostnames(text: string, context: z.RefinementCtx): string[] {
  const names = text.split(',').map(name => name.trim().toLowerCase())
  if (names.every(name => /^[a-z\d_](?:[\w.-]*[a-z\d])?$/.test(name))) return names
  context.addIssue({ code: 'custom', message: 'must be names of hosts such as drm.local, separated by commas' })
  return z.NEVER
}

/** Every address is no restriction, so nobody means it who names the proxies. */
export function asProxies(text: string, context: z.RefinementCtx): string[] {
  const networks = asNetworks(text, context)
  if (Array.isArray(networks) && networks.some(network => /\/0+$/.test(network)))
    context.addIssue({ code: 'custom', message: 'must name the proxies: a network of all addresses lets everybody in' })
  return networks
}

export function asNetworks(text: string, context: z.RefinementCtx): string[] {
  const networks = text.split(',').map(network => network.trim())
  if (networks.every(isNetwork)) return networks
  context.addIssue({
    code: 'custom',
    message: 'must be addresses or networks such as 10.0.0.0/8, separated by commas',
  })
  return z.NEVER
}

/** Separated by semicolons, because a subject has commas. */
export function asClientNames(text: string, context: z.RefinementCtx): string[] {
  const names = text.split(';').map(name => name.trim())
  if (names.every(name => readClientName(name) !== undefined)) return names
  context.addIssue({
    code: 'custom',
    message:
      'must be subjects (CN=player,O=Example) or alternative names (DNS:…, URI:…, IP:…, email:…), separated by ;',
  })
  return z.NEVER
}

function isNetwork(text: string): boolean {
  const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  return isIP(address) !== 0 && !address.includes('%') && Number(prefix ?? 0) <= (isIPv4(address) ? 32 : 128)
}
