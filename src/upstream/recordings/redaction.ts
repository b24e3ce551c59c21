import { type Randomness, randomBytes } from '../../randomness.js'
import type { UpstreamRequest } from '../exchange.js'
import { isSecret, withoutSecrets } from '../secrets.js'

/** The parameters that are no secret, and the names of those that are; both in the order of their names. */
export function withoutSecretValues(parameters: UpstreamRequest['parameters']) {
  const named = Object.entries(parameters)
    .filter(([name]) => !LIKE_A_KEY.test(name))
    .sort(([one], [other]) => (one < other ? -1 : 1))
  const isHidden = ([name, value]: [string, string]) => isSecretParameter(name, value)
  return {
    parameters: Object.fromEntries(named.filter(entry => !isHidden(entry))),
    secrets: named.filter(isHidden).map(([name]) => name),
  }
}

/** The text of an answer, with stand-ins for its tokens and without what it repeats of the request's secrets. */
export function textWithoutSecrets(text: string, request: UpstreamRequest, random: Randomness): string {
  const standIns = new Map<string, string>()
  const standInOf = (token: string) => {
    const known = standIns.get(token) ?? standIn(token.replaceAll('\\/', '/'), random)
    standIns.set(token, known)
    return known
  }
  const hidden = Object.entries(request.parameters).filter(([name, value]) => isSecretByName(name) && value.length > 3)
  return hidden.reduce(
    (cleaned, [, value]) => cleaned.replaceAll(value, '…'),
    withoutSecrets(text.replace(TOKEN, standInOf), request),
  )
}

/** A recording is shared with a team, so an unknown parameter that is called a secret is one, whatever it looks like. */
function isSecretParameter(name: string, value: string): boolean {
  return isSecret(name, value) || isSecretByName(name)
}

const SECRET_BY_NAME = /key|secret|passw|auth|credential|signature/i
const LIKE_A_KEY = /[0-9a-f]{32,}/i

function isSecretByName(name: string): boolean {
  return SECRET_BY_NAME.test(name)
}

/** Also in an answer that ends in its middle, and where no token is expected. */
const TOKEN = /(?<="token"\s{0,9}:\s{0,9}")[^"]+|[\w-]{64,}={0,2}/g
const OUTER_CHARACTERS = 16
const SHORTEST_TOKEN = 64

/**
 * As long as the token and with its outer bytes (version, customer, length), so that what checks those works; the
 * sealed part is random and has nothing of the token's.
 */
function standIn(token: string, random: Randomness): string {
  const [text] = token.split('=', 1)
  const length = text?.length ?? 0
  const outer = length < SHORTEST_TOKEN ? '' : token.slice(0, OUTER_CHARACTERS)
  const sealed = length - outer.length
  const alphabet = /[+/]/.test(token) ? 'base64' : 'base64url'
  const bytes = randomBytes(random, Math.floor((sealed * 3) / 4)).toString(alphabet)
  return outer + bytes.slice(0, sealed).padEnd(sealed, 'A') + token.slice(length)
}
