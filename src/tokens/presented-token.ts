import { TOKEN_FAMILIES } from '../drm/families.js'
import { presentPolicy } from '../drm/stand-in-licence.js'
import { NO_KID } from '../ground/drms.js'
import type { ReadToken, TokenKey } from './token-content.js'

/** The text itself, or the token in it where it is an answer of a token endpoint. */
export function tokenIn(given: string): string {
  const [, answered] = /"token":\s*"([^"]*)"/.exec(given) ?? []
  if (answered !== undefined) return answered
  for (const { answer } of TOKEN_FAMILIES) {
    const issued = answer.read(given)
    if (issued !== undefined) return issued.token
  }
  return given.trim()
}

/** What a token says, for people. */
export function presentToken(token: ReadToken, showsKeys: boolean) {
  const { id, customerId, style, drm, environment, issuedAt, expiresAt, deviceId, ipAddress, cookie, keys } = token
  return {
    id,
    customerId,
    style,
    drm,
    environment,
    issuedAt: new Date(issuedAt).toISOString(),
    expiresAt: new Date(expiresAt).toISOString(),
    deviceId,
    ipAddress,
    cookie,
    keys: keys.map(key => ({ ...presentKey(key, showsKeys), ...presentPolicy(key.policy) })),
  }
}

export function presentKey({ kid, contentKey, algId }: TokenKey, showsKeys: boolean) {
  return {
    kid: kid === NO_KID ? undefined : kid,
    contentKey: showsKeys ? contentKey : '*'.repeat(contentKey.length),
    algId,
  }
}
