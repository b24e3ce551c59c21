import type { Content } from '../../schemas/catalogue.js'
import type { RequestType } from '../../schemas/entitlement.js'

/** What the customer's own endpoint is asked. */
export interface ViewerQuestion {
  /** A GUID in lower case. */
  readonly contentID: string
  readonly requestType: RequestType
  readonly customerCookie?: string | undefined
}

/** Who decides beside the catalogue. */
export interface Judge {
  /** Resolves with what it says of the content, if anything; throws an EntitlementRefusal where the viewer may not have it. */
  allow(question: ViewerQuestion): Promise<Content | undefined>
  close(): Promise<void>
}
