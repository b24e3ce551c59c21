import type { TokenRequestSchema } from '../../schemas/token-request.js'
import type { LicenceFamily, TokenFamily } from '../drm/family.js'

/** What an emulator has to know of a route to inject faults there. */
export type Endpoint =
  | { readonly kind: 'token'; readonly family: TokenFamily; readonly requests: { readonly schema: TokenRequestSchema } }
  | { readonly kind: 'licence'; readonly family: LicenceFamily }
  | { readonly kind: 'records' }
  | { readonly kind: 'keystore' }
  | { readonly kind: 'entitlement'; readonly customerId: number }
  | { readonly kind: 'readiness' }
  /** Pages and tools: only faults that name the route act there. */
  | { readonly kind: 'other' }
  /** Where faults are controlled, and none ever acts. */
  | { readonly kind: 'administration' }

export const OTHER: Endpoint = { kind: 'other' }
export const ADMINISTRATION: Endpoint = { kind: 'administration' }

/** Whether rules act there that name no route. */
export function isOfService({ kind }: Endpoint): boolean {
  return kind !== 'other' && kind !== 'readiness' && kind !== 'administration'
}
