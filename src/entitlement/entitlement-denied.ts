import { PublicError } from '../errors/public-error.js'
import type { Denied } from './client/denials.js'

/** Somebody else's denial of a licence, with the number and the text that the player is to see. */
export class EntitlementDenied extends PublicError {
  /** Whether the number is the service's own, and may be any. */
  readonly isOfService: boolean

  constructor({ error, errorText, failure }: Denied) {
    super(errorText, { code: error, status: 403 })
    this.isOfService = failure === undefined
  }
}
