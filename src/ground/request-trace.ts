import type { Environment, Owner } from './environment.js'
import type { MaybePromise } from './maybe-promise.js'

/** What can be wrong with a token whose request was answered with 200. */
export const TOKEN_FLAWS = ['expired', 'corrupt', 'otherKid', 'unpaid'] as const
export type TokenFlaw = (typeof TOKEN_FLAWS)[number]

/** The header of an answer that names the fault which has acted on the request. */
export const FAULT_HEADER = 'x-emulated-fault'

/** A fault that an emulator injects into one request. */
export interface InjectedFault {
  /** Of its rule. */
  readonly id: string
  /** What shall be wrong with the token of this request. */
  readonly flaw: TokenFlaw | undefined
  /** Called after each named step of the request: throws the refusal to inject, waits, or does nothing. */
  after(step: string): MaybePromise<void>
}

/** What becomes known of one request on its way, for the journal and for a fault that acts at one of its steps. */
export class RequestTrace {
  customerId: number | undefined = undefined
  environment: Environment | undefined = undefined
  drm: string | undefined = undefined
  /** The last step that the request passed. */
  step: string | undefined = undefined
  fault: InjectedFault | undefined = undefined
  /** Whether a reset has to wait for it. */
  isAtWork = false
  /** Whether its handler has begun, which ends whatever becomes of the caller. */
  isHandled = false

  /** Notes whose request it is, and for which DRM, if it is for one. */
  noteOwner({ customerId, environment }: Owner, drm?: string): void {
    this.customerId = customerId
    this.environment = environment
    this.drm = drm
  }

  passed(step: string): MaybePromise<void> {
    this.step = step
    return this.fault?.after(step)
  }
}
