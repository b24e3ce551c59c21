import type Database from 'libsql'
import type { Entry } from '../engine.js'

/** A service, while a group changes it. */
export interface Service {
  balance: number
  last_event: number
  readonly tokens_per_day: number | null
  quota_day: number
  tokens_today: number
}

type Name =
  | 'begin'
  | 'commit'
  | 'findService'
  | 'updateService'
  | 'insertEvent'
  | 'insertPending'
  | 'findPending'
  | 'deletePending'

export type GroupStatements = Readonly<Record<Name, Database.Statement>>

export function groupStatements(database: Database.Database): GroupStatements {
  return {
    begin: database.prepare('BEGIN IMMEDIATE'),
    commit: database.prepare('COMMIT'),
    findService: database.prepare(
      'SELECT balance, last_event, tokens_per_day, quota_day, tokens_today FROM services WHERE id = ?',
    ),
    updateService: database.prepare(
      'UPDATE services SET balance = ?, last_event = ?, quota_day = ?, tokens_today = ? WHERE id = ?',
    ),
    insertEvent: database.prepare(`
      INSERT INTO events (service_id, event_id, time, event, drm, token_id, kids, cookie, device_id, ip_address,
        rights_type, error_code, request_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    insertPending: database.prepare(`
      INSERT INTO pending_tokens (id, service_id, quota_day, time, drm, kids, cookie, device_id, ip_address,
        rights_type, request_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    findPending: database.prepare('SELECT quota_day FROM pending_tokens WHERE id = ?'),
    deletePending: database.prepare('DELETE FROM pending_tokens WHERE id = ?'),
  }
}

export function valuesOf(entry: Entry, eventId: number) {
  return [
    entry.service_id,
    eventId,
    entry.time,
    entry.event,
    entry.drm,
    entry.token_id,
    entry.kids,
    entry.cookie,
    entry.device_id,
    entry.ip_address,
    entry.rights_type,
    entry.error_code,
    entry.request_id,
  ]
}

export function pendingValues(entry: Entry, quotaDay: number) {
  return [
    entry.pending_id,
    entry.service_id,
    quotaDay,
    entry.time,
    entry.drm,
    entry.kids,
    entry.cookie,
    entry.device_id,
    entry.ip_address,
    entry.rights_type,
    entry.request_id,
  ]
}
