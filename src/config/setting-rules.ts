import { accessSync, constants } from 'node:fs'
import { isIP, isIPv4 } from 'node:net'
import * as z from 'zod'
import { HOP_BY_HOP } from '../ground/hop-by-hop.js'
import { readClientName } from './client-name-syntax.js'

// How the text of a setting becomes its value. No message repeats the value, which may be a secret.

/** The values that a rule allows, in a few words of Markdown. */
export const allowedValues = z.registry<{ readonly text: string }>()

interface RuleTexts {
  readonly allowed: string
  /** What follows the setting's name when a value is refused. */
  readonly message?: string
}

/** Reads a text, and refuses it where `read` returns `undefined`. */
function rule<T>(read: (text: string) => T | undefined, { allowed, message = `must be ${allowed}` }: RuleTexts) {
  return z
    .string()
    .transform((text, context) => {
      const value = read(text)
      if (value !== undefined) return value
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    })
    .register(allowedValues, { text: allowed })
}

export function wholeNumber(least: number, most: number) {
  const read = (text: string) => {
    const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
    return number >= least && number <= most ? number : undefined
  }
  return rule(read, { allowed: `${least} to ${most}`, message: `must be a whole number from ${least} to ${most}` })
}

export function oneOf<const T extends readonly string[]>(values: T) {
  return z.enum(values, `must be one of ${values.join(', ')}`).register(allowedValues, { text: choices(values) })
}

function choices(values: readonly string[]): string {
  const quoted = values.map(value => `\`${value}\``)
  return `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`
}

export const truth = rule(text => (text === 'true' ? true : text === 'false' ? false : undefined), {
  allowed: '`true` or `false`',
  message: 'must be true or false',
})

export const listenAddress = rule(text => text || undefined, {
  allowed: 'an address or a host name',
  message: 'must be an address to listen on, such as 127.0.0.1 or 0.0.0.0',
})

export const folder = rule(text => text, { allowed: 'a folder' })

/** Whether it can be read is seen when it is. */
export const path = rule(text => text, { allowed: 'a file' })

export const httpUrl = urlOf(/^https?:$/, {
  allowed: 'an http or https URL',
  message: 'must be an http or https URL, such as https://drm.example.com',
})
export const httpsUrl = urlOf(/^https:$/, { allowed: 'an https URL' })

function urlOf(protocol: RegExp, texts: RuleTexts) {
  const read = (text: string) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    return url !== undefined && protocol.test(url.protocol) ? url : undefined
  }
  const hasOnlyUsedParts = (url: URL) => ignoredParts(url) === ''
  return rule(read, texts).refine(hasOnlyUsedParts, 'must be a URL without user name, password, query and fragment')
}

/** The parts of a URL that no request would be sent with. */
function ignoredParts({ username, password, search, hash }: URL): string {
  return username + password + search + hash
}

/** In lower case, as they are compared. */
export const headerNames = rule(
  text => {
    const names = listed(text).map(name => name.toLowerCase())
    return names.every(mayBeForwarded) ? new Set(names) : undefined
  },
  {
    allowed: 'names of headers, separated by commas',
    message: 'must be names of headers, with commas, none of which is Host, Content-Length or of one connection',
  },
)

/** We write these ourselves; those of a client are not forwarded. */
const OUR_OWN_HEADERS: ReadonlySet<string> = new Set(['host', 'content-length', 'expect', 'x-forwarded-for'])

function mayBeForwarded(name: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]{1,100}$/.test(name) && !HOP_BY_HOP.has(name) && !OUR_OWN_HEADERS.has(name)
}

export const headerName = rule(text => (/^[A-Za-z][\w-]{0,63}$/.test(text) ? text : undefined), {
  allowed: 'the name of a header',
})

export const databaseUrl = rule(text => (isDatabaseUrl(text) ? text : undefined), {
  allowed: '`sqlite:<path of a file>`, `postgres://…` or `memory:`',
  message: 'must be memory:, sqlite:<path of a file> or postgres://…',
})

function isDatabaseUrl(text: string): boolean {
  if (text === 'memory:' || /^sqlite:(?!:memory:$)[^?]+$/.test(text)) return true
  return /^postgres(?:ql)?:\/\//.test(text) && URL.canParse(text)
}

export const pemFile = readableFile('a PEM file')
export const jsonFile = readableFile('a JSON file')

function readableFile(allowed: string) {
  const message = 'must be the path of a file that can be read'
  return rule(text => (isReadable(text) ? text : undefined), { allowed, message })
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

/** It is sent in a header, so it has characters that a header may have. */
export const sharedSecret = rule(text => (/^[\x21-\x7e]{16,}$/.test(text) ? text : undefined), {
  allowed: 'at least 16 characters: ASCII, no spaces',
  message: 'must have at least 16 characters: ASCII, no spaces',
})

/** One in a line is right too: a file may hold them, and `token.keys` is written so. */
export const tokenKeys = rule(
  (text): [Buffer, ...Buffer[]] | undefined => {
    const [first, ...others] = text.split(/,|\r?\n/).map(key => key.trim())
    if (first === undefined || ![first, ...others].every(key => /^[0-9A-Fa-f]{64}$/.test(key))) return undefined
    return [Buffer.from(first, 'hex'), ...others.map(key => Buffer.from(key, 'hex'))]
  },
  { allowed: 'keys of 64 hexadecimal digits, separated by commas' },
)

/** As a browser writes the Origin header, because the two are compared. */
export const origins = rule(
  (text): '*' | string[] | undefined => {
    if (text === '*') return '*'
    const listedOrigins = listed(text)
    return listedOrigins.every(origin => URL.canParse(origin) && new URL(origin).origin === origin)
      ? listedOrigins
      : undefined
  },
  {
    allowed: '`*`, or origins as browsers write them, separated by commas',
    message: 'must be * or origins such as https://player.example.com, separated by commas',
  },
)

/** As they are compared: in lower case, without a port. */
export const hostNames = rule(
  text => {
    const names = listed(text).map(name => name.toLowerCase())
    return names.every(name => /^[a-z\d_](?:[\w.-]*[a-z\d])?$/.test(name)) ? names : undefined
  },
  {
    allowed: 'names of hosts, separated by commas',
    message: 'must be names of hosts such as drm.local, separated by commas',
  },
)

export const networks = rule(text => (listed(text).every(isNetwork) ? listed(text) : undefined), {
  allowed: 'addresses or networks, separated by commas',
  message: 'must be addresses or networks such as 10.0.0.0/8, separated by commas',
})

/** A network of all addresses restricts nothing, so it is a mistake in a list of proxies. */
export const proxies = networks
  .refine(
    all => !all.some(network => /\/0+$/.test(network)),
    'must name the proxies: a network of all addresses lets everybody in',
  )
  .register(allowedValues, { text: 'addresses or networks, separated by commas' })

function isNetwork(text: string): boolean {
  const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  return isIP(address) !== 0 && !address.includes('%') && Number(prefix ?? 0) <= (isIPv4(address) ? 32 : 128)
}

/** Separated by semicolons, because a subject has commas. */
export const clientNames = rule(
  text => {
    const names = text.split(';').map(name => name.trim())
    return names.every(name => readClientName(name) !== undefined) ? names : undefined
  },
  {
    allowed:
      'subjects (`CN=player,O=Example`) or alternative names (`DNS:…`, `URI:…`, `IP:…`, `email:…`), separated by `;`',
    message:
      'must be subjects (CN=player,O=Example) or alternative names (DNS:…, URI:…, IP:…, email:…), separated by ;',
  },
)

function listed(text: string): string[] {
  return text.split(',').map(item => item.trim())
}
