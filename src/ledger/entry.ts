import type { Entry } from '../store/engine.js'
import { serviceId } from '../store/tables.js'
import type { LedgerEvent } from './ledger.js'

/** An event as the store keeps it; `cost` is what it takes from the balance. */
export function entryOf(event: LedgerEvent, cost: 0 | 1): Entry {
  return {
    service_id: serviceId(event.customerId, event.environment),
    cost,
    time: event.time,
    event: event.event,
    drm: event.drm,
    token_id: event.tokenId ?? null,
    kids: event.kids.join(','),
    cookie: event.cookie ?? null,
    device_id: event.deviceId ?? null,
    ip_address: event.ipAddress ?? null,
    rights_type: event.rightsType ?? null,
    error_code: event.errorCode,
    request_id: event.requestId,
  }
}
