import type { Content } from '../../schemas/catalogue.js'
import { EntitlementRefusal } from '../errors/entitlement-refusal.js'
import type { RegisteredDevices } from './devices.js'

/** Who may have a content, as its catalogue says. */
export function requireListed({ viewers }: Content, cookie: string | undefined): void {
  if (viewers === 'everyone') return
  if (cookie === undefined || !viewers.has(cookie)) throw new EntitlementRefusal('notListed')
}

/** The devices that came first may have it, so that a new one does not shut out an old one. */
export function requireDevice({ devicesPerCookie }: Content, { newest, first }: RegisteredDevices): string {
  if (newest === undefined) throw new EntitlementRefusal('noDevice')
  if (devicesPerCookie !== undefined && !first.includes(newest)) throw new EntitlementRefusal('tooManyDevices')
  return newest
}
