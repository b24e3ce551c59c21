import type { UpstreamRequest } from './exchange.js'

const SECRET = /^(?:contentKey|kek|ek)(?:\.\d+)?$/
/** The documented parameters that look like keys and are none. */
const PUBLIC = /^(?:kid(?:\.\d+)?|deviceId|cookie|extensionPayload(?:\.\d+)?)$/
const LIKE_A_KEY = /[0-9a-f]{32,}/i

/** A misspelt contentKey is a content key, too. */
export function isSecret(name: string, value: string): boolean {
  return SECRET.test(name) || (!PUBLIC.test(name) && LIKE_A_KEY.test(value))
}

/** The keys of a request, and the real service's authenticator. */
export function secretsOf({ authenticator, parameters }: Pick<UpstreamRequest, 'authenticator' | 'parameters'>) {
  const keys = Object.entries(parameters).flatMap(([name, value]) => (isSecret(name, value) ? [value] : []))
  return [authenticator, authenticator.replace(/^\d+,/, ''), ...keys]
}

/** A text of the real service, without what of the request's secrets it repeats. */
export function withoutSecrets(text: string, request: UpstreamRequest): string {
  return blotted(text, secretsOf(request))
}

/** A shorter one is found by chance in what is none. */
const SHORTEST_SECRET = 8
/** What is longer is too much for a regular expression. */
const LONGEST_PATTERN = 20_000

/** A text without these secrets, in whatever case and with whatever escapes it spells them. */
export function blotted(text: string, secrets: readonly string[]): string {
  const lowered = text.toLowerCase()
  // Letters are the same in every spelling, and to look for those first is cheap.
  const possible = secrets.filter(secret => {
    const [run = ''] = /[\w-]{3,}/.exec(secret) ?? []
    return secret.length >= SHORTEST_SECRET && secret.length <= text.length && lowered.includes(run.toLowerCase())
  })
  // One may be the beginning of another.
  return possible
    .sort((one, other) => other.length - one.length)
    .reduce((cleaned, secret) => cleaned.replaceAll(everySpelling(secret), '…'), text)
}

function everySpelling(secret: string): RegExp | string {
  const pattern = Array.from(secret, spellings).join('')
  return pattern.length > LONGEST_PATTERN ? secret : new RegExp(pattern, 'gi')
}

const NAMED = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&apos;'],
])

/** A character as it is, or as URLs, forms, JSON and HTML write it. */
function spellings(character: string): string {
  if (/^[\w-]$/.test(character)) return character
  const form = new URLSearchParams([['', character]]).toString().slice(1)
  const url = form === '+' ? '%20' : form
  const code = character.codePointAt(0) ?? 0
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
  const all = new Set([
    ...[character, form, url, url.replaceAll('%', '%25')],
    ...[`\\${character}`, JSON.stringify(character).slice(1, -1)],
    units.map(unit => `\\u${unit.toString(16).padStart(4, '0')}`).join(''),
    ...[`&#${code};`, `&#x${code.toString(16)};`, NAMED.get(character) ?? character],
  ])
  return `(?:${[...all].map(literally).join('|')})`
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
