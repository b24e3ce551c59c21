export type { RequestType } from '../../../schemas/entitlement.js'
export { EntitlementClient, type EntitlementClientOptions, type EntitlementQuestion } from './client.js'
export type { Allowed, Entitlement } from './decision.js'
export { type DenialReason, type Denied, type DocumentedDenial, documentedDenials, type Failure } from './denials.js'
