import { type Entry, REFUSED } from '../engine.js'

/** The columns of a group: one array each, so that any number of events is one statement with the same text. */
const COLUMNS = [
  ['service_id', 'bigint'],
  ['cost', 'integer'],
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
] as const satisfies readonly (readonly [keyof Entry, string])[]

/**
 * A group in one statement, which is a transaction by itself. The services are locked in the order of their numbers,
 * so that instances wait for each other but never in a circle. An entry is covered while the costs up to it, its own
 * among them, are within the balance; what is not covered goes in as refused. Without its service an event has no
 * number, and then the whole statement fails.
 */
export const commitStatement = `
WITH given AS (
  SELECT * FROM unnest(${COLUMNS.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ')})
  WITH ORDINALITY AS given (${COLUMNS.map(([name]) => name).join(', ')}, place)
), locked AS (
  SELECT id, balance, last_event FROM services WHERE id IN (SELECT service_id FROM given) ORDER BY id FOR UPDATE
), counted AS (
  SELECT given.*, locked.balance, locked.last_event,
    row_number() OVER (PARTITION BY service_id ORDER BY place) AS number,
    sum(cost) OVER (PARTITION BY service_id ORDER BY place) AS total
  FROM given LEFT JOIN locked ON locked.id = given.service_id
), settled AS (
  SELECT *, cost = 0 OR total <= balance AS covered FROM counted
), charged AS (
  UPDATE services SET balance = services.balance - taken, last_event = services.last_event + events
  FROM (
    SELECT service_id, count(*) AS events, coalesce(sum(cost) FILTER (WHERE covered), 0) AS taken
    FROM settled GROUP BY service_id
  ) AS sums
  WHERE services.id = sums.service_id
), appended AS (
  INSERT INTO events (service_id, event_id, time, event, drm, token_id, kids, cookie, device_id, ip_address,
    rights_type, error_code, request_id)
  SELECT service_id, last_event + number, time,
    CASE WHEN covered THEN event ELSE '${REFUSED.event}' END, drm,
    CASE WHEN covered THEN token_id END, kids, cookie, device_id, ip_address, rights_type,
    CASE WHEN covered THEN error_code ELSE ${REFUSED.error_code} END, request_id
  FROM settled
)
SELECT array_agg(place::integer - 1) FILTER (WHERE NOT covered) AS refused FROM settled`

export function valuesOf(entries: readonly Entry[]): unknown[] {
  return COLUMNS.map(([name]) => entries.map(entry => entry[name]))
}

export function refusedPlaces([row]: readonly unknown[]): readonly number[] {
  const { refused } = row as { refused: number[] | null } // the statement's one row
  return refused ?? []
}
