import { PublicError } from './public-error.js'

/** The entitlement service that our licence endpoints ask has denied a licence, or could not be asked. */
export class EntitlementDenied extends PublicError {
  constructor(
    code: number,
    message: string,
    /** The number comes from that service and can be any number. */
    readonly isOfService: boolean,
  ) {
    super(message, { code, status: 403 })
  }
}
