import type { QueryConfig } from 'pg'
import { type Entry, MOST_DAYS_AHEAD, REFUSED } from '../engine.js'

/**
 * A group in one statement, which is a transaction by itself. The services are locked in the order of their numbers,
 * so that instances wait for each other but never in a circle; nobody touches a pending token without the lock of its
 * service. What is given back is so first. Then an entry is covered while those up to it, itself among them, are within
 * balance and quota; the day of the quota is the newest that the service has seen, those of the group among them, unless
 * that was too far ahead. What is not covered goes in as refused. Without its service an event has no number, and then the whole statement fails.
 */
export function statementFor(entries: readonly Entry[]): QueryConfig {
  const { columns, ...statement } = entries.some(({ pending_id }) => pending_id !== null) ? withPending : plain
  return { ...statement, values: columns.map(([name]) => entries.map(entry => entry[name])) }
}

type Column = readonly [name: keyof Entry, type: string]

/** The columns of a group: one array each, so that any number of events is one statement with the same text. */
const EVENT_COLUMNS: readonly Column[] = [
  ['service_id', 'bigint'],
  ['step', 'text'],
  ['time', 'bigint'],
  ['event', 'text'],
  ['drm', 'text'],
  ['token_id', 'text'],
  ['kids', 'text'],
  ['cookie', 'text'],
  ['device_id', 'text'],
  ['ip_address', 'text'],
  ['rights_type', 'text'],
  ['error_code', 'integer'],
  ['request_id', 'text'],
]
const PENDING_COLUMNS: readonly Column[] = [...EVENT_COLUMNS, ['pending_id', 'text']]

const given = (columns: readonly Column[]) => `
given AS (
  SELECT *, step IN ('issue', 'reserve') AS takes
  FROM unnest(${columns.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ')})
  WITH ORDINALITY AS given (${columns.map(([name]) => name).join(', ')}, place)
)`

const LOCKED = `
days AS (
  SELECT service_id AS id, max(time) FILTER (WHERE takes) / 86400000 AS day FROM given GROUP BY service_id
), locked AS (
  SELECT id, balance, last_event, tokens_per_day, quota_day, tokens_today
  FROM services WHERE id IN (SELECT id FROM days) ORDER BY id FOR UPDATE
)`

/**
 * By their ids and not by a join, which would walk through the whole table, and past all that was in it. Where several
 * entries settle a token, the first does.
 */
const RELEASED = `
deleted AS (
  DELETE FROM pending_tokens USING locked
  WHERE pending_tokens.id = ANY ($${PENDING_COLUMNS.length}::text[]) AND service_id = locked.id
  RETURNING pending_tokens.id AS pending_id, pending_tokens.quota_day AS released_day
), released AS (
  SELECT DISTINCT ON (pending_id) place, service_id, step, released_day
  FROM deleted JOIN given USING (pending_id) ORDER BY pending_id, place
), refunded AS (
  SELECT service_id AS id, count(*) AS back, count(*) FILTER (WHERE released_day = quota_day) AS back_today
  FROM released JOIN locked ON id = service_id
  WHERE step = 'refund' GROUP BY service_id
)`

const room = (given: { readonly back: string; readonly backToday: string; readonly from: string }) => `
room AS (
  SELECT id, balance + ${given.back} AS balance, last_event, tokens_per_day,
    CASE WHEN is_new_day THEN day ELSE quota_day END AS newest_day,
    CASE WHEN is_new_day THEN 0 ELSE tokens_today - ${given.backToday} END AS today
  FROM locked JOIN days USING (id) ${given.from}
    CROSS JOIN LATERAL (SELECT day > quota_day OR quota_day > day + ${MOST_DAYS_AHEAD} AS is_new_day) AS compared
), counted AS (
  SELECT given.*, room.*, count(*) FILTER (WHERE takes)
    OVER (PARTITION BY service_id ORDER BY place ROWS UNBOUNDED PRECEDING) AS taken
  FROM given LEFT JOIN room ON id = service_id
), settled AS (
  SELECT *, NOT takes OR coalesce(taken <= least(balance, tokens_per_day - today), false) AS covered FROM counted
)`

const EVENTS = `
booked AS (
  SELECT *, true AS has_event, row_number() OVER (PARTITION BY service_id ORDER BY place) AS number FROM settled
)`

/** A reservation has its event when it is settled, and never a second one. */
const SETTLED_EVENTS = `
found AS (
  SELECT settled.*,
    CASE WHEN step IN ('keep', 'refund') THEN released_day IS NOT NULL
      ELSE step <> 'reserve' OR NOT covered END AS has_event
  FROM settled LEFT JOIN (SELECT place, released_day FROM released) AS releasing USING (place)
), booked AS (
  SELECT *, count(*) FILTER (WHERE has_event)
    OVER (PARTITION BY service_id ORDER BY place ROWS UNBOUNDED PRECEDING) AS number
  FROM found
), reserved AS (
  INSERT INTO pending_tokens (id, service_id, quota_day, time, drm, kids, cookie, device_id, ip_address, rights_type,
    request_id)
  SELECT pending_id, service_id, newest_day, time, drm, kids, cookie, device_id, ip_address, rights_type, request_id
  FROM booked WHERE step = 'reserve' AND covered
)`

const WRITTEN = `
charged AS (
  UPDATE services SET balance = room.balance - granted, last_event = room.last_event + events, quota_day = newest_day,
    tokens_today = today + granted
  FROM room JOIN (
    SELECT service_id AS id, count(*) FILTER (WHERE has_event) AS events,
      count(*) FILTER (WHERE takes AND covered) AS granted
    FROM booked GROUP BY service_id
  ) AS sums USING (id)
  WHERE services.id = room.id
), appended AS (
  INSERT INTO events (service_id, event_id, time, event, drm, token_id, kids, cookie, device_id, ip_address,
    rights_type, error_code, request_id)
  SELECT service_id, last_event + number, time,
    CASE WHEN covered THEN event ELSE '${REFUSED.event}' END, drm,
    CASE WHEN covered THEN token_id END, kids, cookie, device_id, ip_address, rights_type,
    CASE WHEN covered THEN error_code ELSE ${REFUSED.error_code} END, request_id
  FROM booked WHERE has_event
)
SELECT place::integer - 1 AS place,
  CASE WHEN tokens_per_day - today < balance THEN 'quota used up' ELSE 'balance used up' END AS why
FROM booked WHERE NOT covered`

const plain = {
  name: 'commit-group',
  text: `WITH ${[given(EVENT_COLUMNS), LOCKED, room({ back: '0', backToday: '0', from: '' }), EVENTS, WRITTEN]}`,
  columns: EVENT_COLUMNS,
}

/** Of its own, because the greater one takes noticeably longer, and most groups need none of it. */
const withPending = {
  name: 'commit-group-with-pending',
  text: `WITH ${[
    given(PENDING_COLUMNS),
    LOCKED,
    RELEASED,
    room({ back: 'coalesce(back, 0)', backToday: 'coalesce(back_today, 0)', from: 'LEFT JOIN refunded USING (id)' }),
    SETTLED_EVENTS,
    WRITTEN,
  ]}`,
  columns: PENDING_COLUMNS,
}
