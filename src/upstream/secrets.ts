import type { UpstreamRequest } from './exchange.js'

const SECRET = /^(?:contentKey|kek|ek)(?:\.\d+)?$/
/** The documented parameters that look like keys and are none. */
const PUBLIC = /^(?:kid(?:\.\d+)?|deviceId|cookie|extensionPayload(?:\.\d+)?)$/
const LIKE_A_KEY = /[0-9a-f]{32,}/i

/** A misspelt contentKey is a content key, too. */
export function isSecret(name: string, value: string): boolean {
  return SECRET.test(name) || (!PUBLIC.test(name) && LIKE_A_KEY.test(value))
}

/** A text of the real service, without what of the request's secrets it repeats. */
export function withoutSecrets(text: string, { authenticator, parameters }: UpstreamRequest): string {
  const secrets = Object.entries(parameters).flatMap(([name, value]) => (isSecret(name, value) ? [value] : []))
  return [authenticator, authenticator.replace(/^\d+,/, ''), ...secrets].reduce(
    (cleaned, secret) => (secret.length < 8 ? cleaned : cleaned.replaceAll(new RegExp(literally(secret), 'gi'), '…')),
    text,
  )
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
