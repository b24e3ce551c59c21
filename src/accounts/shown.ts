import type { ShownAccount } from '../../schemas/admin.js'
import { byDrm } from '../ground/drms.js'
import { rfc3339 } from '../ground/moments.js'
import type { KnownAccount, KnownService } from '../store/account-records.js'

/** What an administrator sees of an account: all but the hashes of its authenticators. */
export function shown({ id, name, enabled, drm, maxRedemptions, limits, services }: KnownAccount): ShownAccount {
  const { test, production } = services
  const shownServices = { test: shownService(test), production: shownService(production) }
  return {
    id,
    name,
    enabled,
    drm: byDrm(option => drm[option] !== false),
    maxRedemptions,
    limits,
    services: shownServices,
  }
}

function shownService({ balance, authenticators }: KnownService): ShownAccount['services']['test'] {
  return {
    balance,
    authenticators: authenticators.map(({ createdAt, validUntil }) => ({
      createdAt: rfc3339(createdAt),
      validUntil: validUntil === undefined ? null : rfc3339(validUntil),
    })),
  }
}
