import type { Content } from './content.js'
import type { RegisteredDevices } from './devices.js'
import { EntitlementRefusal } from './refusals.js'

/** Who may have a content, as its catalogue says. */
export function requireListed({ viewers }: Content, cookie: string | undefined): void {
  if (viewers === 'everyone') return
  if (cookie === undefined || !viewers.has(cookie)) throw new EntitlementRefusal('notListed')
}

export function requireAvailable({ until }: Content, now: number): void {
  if (until !== undefined && until <= now) throw new EntitlementRefusal('over')
}

/** The devices that came first may have it, so that a new one does not shut out an old one. */
export function requireFewDevices({ devicesPerCookie }: Content, { newest, inOrder }: RegisteredDevices): void {
  if (devicesPerCookie === undefined || newest === undefined) return
  if (inOrder.indexOf(newest) >= devicesPerCookie) throw new EntitlementRefusal('tooManyDevices')
}
