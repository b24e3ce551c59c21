import type Database from 'libsql'
import type { Entry } from '../engine.js'
import { Statement, type Value } from './statement.js'

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
  | 'insertInjected'
  | 'insertPending'
  | 'findPending'
  | 'deletePending'
  | 'findRedemption'
  | 'countRedemption'

export type GroupStatements = Readonly<Record<Name, Statement>>

export function groupStatements(database: Database.Database): GroupStatements {
  return {
    begin: new Statement(database, 'BEGIN IMMEDIATE'),
    commit: new Statement(database, 'COMMIT'),
    findService: new Statement(
      database,
      'SELECT balance, last_event, tokens_per_day, quota_day, tokens_today FROM services WHERE id = ?',
    ),
    updateService: new Statement(
      database,
      'UPDATE services SET balance = ?, last_event = ?, quota_day = ?, tokens_today = ? WHERE id = ?',
    ),
    insertEvent: new Statement(
      database,
      `
      INSERT INTO events (service_id, event_id, time, event, drm, token_id, kids, cookie, device_id, ip_address,
        rights_type, error_code, request_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    insertInjected: new Statement(
      database,
      `
      INSERT INTO events (service_id, event_id, time, event, drm, token_id, kids, cookie, device_id, ip_address,
        rights_type, error_code, request_id, injected) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)`,
    ),
    insertPending: new Statement(
      database,
      `
      INSERT INTO pending_tokens (id, service_id, quota_day, time, drm, kids, cookie, device_id, ip_address,
        rights_type, request_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    findPending: new Statement(database, 'SELECT quota_day FROM pending_tokens WHERE id = ?'),
    deletePending: new Statement(database, 'DELETE FROM pending_tokens WHERE id = ?'),
    findRedemption: new Statement(database, 'SELECT count FROM redemptions WHERE service_id = ? AND token_id = ?'),
    countRedemption: new Statement(
      database,
      `
      INSERT INTO redemptions (service_id, token_id, count, expires_at) VALUES (?, ?, 1, ?)
      ON CONFLICT (service_id, token_id) DO UPDATE SET count = count + 1 WHERE count < ?`,
    ),
  }
}

export function valuesOf(entry: Entry, eventId: number): Value[] {
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

export function pendingValues(entry: Entry, quotaDay: number): Value[] {
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
