import type { Entry } from '../store/engine.js'
import { serviceId } from '../store/tables.js'
import type { LedgerEvent } from './ledger.js'

/** An event and the step that is taken with it, as the store takes both. Written out: it is made for every token. */
export function entryOf(event: LedgerEvent, step: Entry['step'], pendingId: string | null = null): Entry {
  return {
    service_id: serviceId(event.customerId, event.environment),
    step,
    pending_id: pendingId,
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
