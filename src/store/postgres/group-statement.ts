import type { QueryConfig } from 'pg'
import { type Entry, MOST_DAYS_AHEAD, REFUSED } from '../engine.js'

/**
 * A group in one statement, which is a transaction by itself. The services are locked in the order of their numbers,
 * so that instances wait for each other but never deadlock; a pending token or a count of redemptions is only touched
 * with the lock of its service. Refunds come first. Then an entry is covered while those up to it, itself
 * among them, are within balance and quota; the day of the quota is the newest that the service has seen, those of the
 * group among them, unless that was too far ahead. A token that its redemption pays for needs a balance that is left. Redemptions that pay
 * come before all tokens. What is not covered goes in as refused, but for redemptions, which are left out. Without its service an event has no number, and then the whole statement fails.
 */
export function groupStatement(entries: readonly Entry[]): QueryConfig {
  const { columns, ...statement } = waiting[kindOf(entries)]
  return { ...statement, values: valuesOf(entries, columns) }
}

/** The same, but only for services that are not locked; the entries of the others are returned as locked. */
export function unlockedGroupStatement(entries: readonly Entry[]): QueryConfig {
  const { columns, text } = passingOver[kindOf(entries)]
  return { text, values: valuesOf(entries, columns) }
}

/** What a group has beside plain events. Each kind has its own statement, because most groups have only plain events. */
type Kind = 'plain' | 'pending' | 'redemptions' | 'all' | 'injected'

function kindOf(entries: readonly Entry[]): Kind {
  const hasPending = entries.some(({ pending_id }) => pending_id !== null)
  const hasRedemptions = entries.some(({ redemption }) => redemption !== undefined)
  if (entries.some(({ injected }) => injected !== undefined)) return 'injected'
  if (hasPending) return hasRedemptions ? 'all' : 'pending'
  if (!hasRedemptions) return 'plain'
  return havePayments(entries) ? 'all' : 'redemptions'
}

/** Whether there are redemptions that pay if they are their tokens' first. Such a group needs its services locked before. */
export function havePayments(entries: readonly Entry[]): boolean {
  return entries.some(({ redemption }) => redemption?.pays)
}

interface Column {
  readonly name: string
  readonly type: string
  of(entry: Entry): unknown
}

/** One array for each column of a group, so that any number of events is one statement with the same text. */
function valuesOf(entries: readonly Entry[], columns: readonly Column[]): unknown[][] {
  return columns.map(({ of }) => entries.map(of))
}

const column = (name: keyof Entry, type: string): Column => ({ name, type, of: entry => entry[name] })

const EVENT_COLUMNS = [
  column('service_id', 'bigint'),
  column('step', 'text'),
  column('time', 'bigint'),
  column('event', 'text'),
  column('drm', 'text'),
  column('token_id', 'text'),
  column('kids', 'text'),
  column('cookie', 'text'),
  column('device_id', 'text'),
  column('ip_address', 'text'),
  column('rights_type', 'text'),
  column('error_code', 'integer'),
  column('request_id', 'text'),
]
const PENDING_COLUMN = column('pending_id', 'text')
const REDEMPTION_COLUMNS: readonly Column[] = [
  { name: 'most', type: 'integer', of: ({ redemption }) => redemption?.most ?? null },
  { name: 'expires_at', type: 'bigint', of: ({ redemption }) => redemption?.expiresAt ?? null },
  { name: 'pays', type: 'boolean', of: ({ redemption }) => redemption?.pays ?? false },
]

const INJECTED_COLUMN: Column = { name: 'injected', type: 'integer', of: ({ injected }) => injected ?? null }

const given = (columns: readonly Column[]) => `
given AS (
  SELECT *, step IN ('issue', 'issue unpaid', 'reserve') AS takes
  FROM unnest(${columns.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ')})
  WITH ORDINALITY AS given (${columns.map(({ name }) => name).join(', ')}, place)
)`

const locked = (wait: string) => `
days AS (
  SELECT service_id AS id, max(time) FILTER (WHERE takes) / 86400000 AS day FROM given GROUP BY service_id
), locked AS (
  SELECT id, balance, last_event, tokens_per_day, quota_day, tokens_today
  FROM services WHERE id IN (SELECT id FROM days) ORDER BY id FOR UPDATE ${wait}
)`

const WITHIN_REACH = `
reached AS (
  SELECT * FROM given WHERE service_id IN (SELECT id FROM locked)
)`

/**
 * By their ids and not by a join, which would walk through the whole table, and past all that was in it. Where several
 * entries settle a token, the first does.
 */
const RELEASED = `
deleted AS (
  DELETE FROM pending_tokens USING locked
  WHERE pending_tokens.id = ANY ($${EVENT_COLUMNS.length + 1}::text[]) AND service_id = locked.id
  RETURNING pending_tokens.id AS pending_id, pending_tokens.quota_day AS released_day
), released AS (
  SELECT DISTINCT ON (pending_id) place, service_id, step, released_day
  FROM deleted JOIN given USING (pending_id) ORDER BY pending_id, place
), refunded AS (
  SELECT service_id AS id, count(*) AS back, count(*) FILTER (WHERE released_day = quota_day) AS back_today
  FROM released JOIN locked ON id = service_id
  WHERE step = 'refund' GROUP BY service_id
)`

/** The first redemptions that pay, in their order while the balance lasts. Each is looked up by itself, and not by a join. */
const PAYING = `
paying AS (
  SELECT place, service_id, row_number() OVER (PARTITION BY service_id ORDER BY place) <= balance + coalesce(back, 0) AS paid
  FROM given JOIN locked ON locked.id = service_id LEFT JOIN refunded ON refunded.id = service_id
  WHERE pays AND (
    SELECT count(*) FROM redemptions
    WHERE redemptions.service_id = given.service_id AND redemptions.token_id = given.token_id
  ) = 0
), payments AS (
  SELECT service_id AS id, count(*) AS payments FROM paying WHERE paid GROUP BY service_id
)`
const UNPAID = 'place IN (SELECT place FROM paying WHERE NOT paid)'

/** An insert that conflicts sees the newest count, whatever the statement saw when it began. */
const redeemed = (unpaid: string) => `
redeemed AS (
  INSERT INTO redemptions (service_id, token_id, count, expires_at)
  SELECT service_id, token_id, 1, expires_at FROM given JOIN locked ON id = service_id
  WHERE step = 'redeem' AND NOT ${unpaid}
  ON CONFLICT (service_id, token_id) DO UPDATE SET count = redemptions.count + 1
  WHERE redemptions.count < (
    SELECT most FROM given
    WHERE step = 'redeem' AND given.service_id = excluded.service_id AND given.token_id = excluded.token_id
  )
  RETURNING service_id, token_id
)`

const room = (given: { readonly back: string; readonly backToday: string; readonly from: string }) => `
room AS (
  SELECT id, balance + ${given.back} AS balance, last_event, tokens_per_day,
    CASE WHEN is_new_day THEN day ELSE quota_day END AS newest_day,
    CASE WHEN is_new_day THEN 0 ELSE tokens_today - ${given.backToday} END AS today
  FROM locked JOIN days USING (id) ${given.from}
    CROSS JOIN LATERAL (SELECT day > quota_day OR quota_day > day + ${MOST_DAYS_AHEAD} AS is_new_day) AS compared
)`
const PLAIN_ROOM = room({ back: '0', backToday: '0', from: '' })
const REFUNDED_ROOM = room({
  back: 'coalesce(back, 0)',
  backToday: 'coalesce(back_today, 0)',
  from: 'LEFT JOIN refunded USING (id)',
})
const PAID_ROOM = room({
  back: 'coalesce(back, 0) - coalesce(payments, 0)',
  backToday: 'coalesce(back_today, 0)',
  from: 'LEFT JOIN refunded USING (id) LEFT JOIN payments USING (id)',
})

const settled = (entries: string, covered: string) => `
counted AS (
  SELECT ${entries}.*, room.*, count(*) FILTER (WHERE takes)
    OVER (PARTITION BY service_id ORDER BY place ROWS UNBOUNDED PRECEDING) AS taken,
    count(*) FILTER (WHERE takes AND step <> 'issue unpaid')
    OVER (PARTITION BY service_id ORDER BY place ROWS UNBOUNDED PRECEDING) AS charged
  FROM ${entries} LEFT JOIN room ON id = service_id
), settled AS (
  SELECT *, ${covered} AS covered FROM counted
)`
const COVERED = `
    NOT takes OR coalesce(
      charged + CASE WHEN step = 'issue unpaid' THEN 1 ELSE 0 END <= balance
        AND coalesce(taken <= tokens_per_day - today, true), false)`
const COVERED_OR_COUNTED = `
    CASE WHEN step = 'redeem' THEN (service_id, token_id) IN (SELECT service_id, token_id FROM redeemed)
      ELSE ${COVERED} END`

const EVENTS = `
booked AS (
  SELECT *, true AS has_event, row_number() OVER (PARTITION BY service_id ORDER BY place) AS number FROM settled
)`

/** A reservation has its event when it is settled, and never a second one. A redemption that is not covered has none. */
const someEvents = (pending: boolean) => `
found AS (
  SELECT settled.*,
    CASE ${pending ? `WHEN step IN ('keep', 'refund') THEN released_day IS NOT NULL` : ''}
      WHEN step = 'redeem' THEN covered
      ELSE step <> 'reserve' OR NOT covered END AS has_event
  FROM settled ${pending ? 'LEFT JOIN (SELECT place, released_day FROM released) AS releasing USING (place)' : ''}
), booked AS (
  SELECT *, count(*) FILTER (WHERE has_event)
    OVER (PARTITION BY service_id ORDER BY place ROWS UNBOUNDED PRECEDING) AS number
  FROM found
)`

const RESERVED = `
reserved AS (
  INSERT INTO pending_tokens (id, service_id, quota_day, time, drm, kids, cookie, device_id, ip_address, rights_type,
    request_id)
  SELECT pending_id, service_id, newest_day, time, drm, kids, cookie, device_id, ip_address, rights_type, request_id
  FROM booked WHERE step = 'reserve' AND covered
)`

const written = (unpaid: string, marks: boolean) => `
booking AS (
  UPDATE services SET balance = room.balance - charged, last_event = room.last_event + events, quota_day = newest_day,
    tokens_today = today + granted
  FROM room JOIN (
    SELECT service_id AS id, count(*) FILTER (WHERE has_event) AS events,
      count(*) FILTER (WHERE takes AND covered) AS granted,
      count(*) FILTER (WHERE takes AND covered AND step <> 'issue unpaid') AS charged
    FROM booked GROUP BY service_id
  ) AS sums USING (id)
  WHERE services.id = room.id
), appended AS (
  INSERT INTO events (service_id, event_id, time, event, drm, token_id, kids, cookie, device_id, ip_address,
    rights_type, error_code, request_id${marks ? ', injected' : ''})
  SELECT service_id, last_event + number, time,
    CASE WHEN covered THEN event ELSE '${REFUSED.event}' END, drm,
    CASE WHEN covered THEN token_id END, kids, cookie, device_id, ip_address, rights_type,
    CASE WHEN covered THEN error_code ELSE ${REFUSED.error_code} END, request_id${marks ? ', injected' : ''}
  FROM booked WHERE has_event
)
SELECT place::integer - 1 AS place,
  CASE WHEN covered THEN 'settled before'
    WHEN step = 'redeem' AND NOT ${unpaid} THEN 'redeemed too often'
    WHEN step <> 'redeem' AND tokens_per_day - today < balance THEN 'quota used up'
    ELSE 'balance used up' END AS why
FROM booked WHERE NOT covered OR (step IN ('keep', 'refund') AND NOT has_event)`

const PASSED_OVER = `
UNION ALL SELECT place::integer - 1, 'locked' FROM given WHERE service_id NOT IN (SELECT id FROM locked)`

interface Parts {
  readonly columns: readonly Column[]
  /** What is settled and redeemed, and what is left of balance and quota for tokens. */
  readonly before: readonly string[]
  readonly covered: string
  readonly after: readonly string[]
  /** Whether a redemption was refused because it had to pay. */
  readonly unpaid: string
}

const ALL: Parts = {
  columns: [...EVENT_COLUMNS, PENDING_COLUMN, ...REDEMPTION_COLUMNS],
  before: [RELEASED, PAYING, redeemed(UNPAID), PAID_ROOM],
  covered: COVERED_OR_COUNTED,
  after: [someEvents(true), RESERVED],
  unpaid: UNPAID,
}

const PARTS: Readonly<Record<Kind, Parts>> = {
  plain: { columns: EVENT_COLUMNS, before: [PLAIN_ROOM], covered: COVERED, after: [EVENTS], unpaid: 'false' },
  pending: {
    columns: [...EVENT_COLUMNS, PENDING_COLUMN], // where RELEASED looks for it
    before: [RELEASED, REFUNDED_ROOM],
    covered: COVERED,
    after: [someEvents(true), RESERVED],
    unpaid: 'false',
  },
  redemptions: {
    columns: [...EVENT_COLUMNS, ...REDEMPTION_COLUMNS],
    before: [redeemed('false'), PLAIN_ROOM],
    covered: COVERED_OR_COUNTED,
    after: [someEvents(false)],
    unpaid: 'false',
  },
  all: ALL,
  injected: { ...ALL, columns: [...ALL.columns, INJECTED_COLUMN] },
}

function statement(kind: Kind, passesOver: boolean) {
  const { columns, before, covered, after, unpaid } = PARTS[kind]
  const parts = [
    given(columns),
    locked(passesOver ? 'SKIP LOCKED' : ''),
    ...(passesOver ? [WITHIN_REACH] : []),
    ...before,
    settled(passesOver ? 'reached' : 'given', covered),
    ...after,
    written(unpaid, kind === 'injected'),
  ]
  return { name: `commit-group-${kind}`, text: `WITH ${parts}${passesOver ? PASSED_OVER : ''}`, columns }
}

function statements(passesOver: boolean) {
  return {
    plain: statement('plain', passesOver),
    pending: statement('pending', passesOver),
    redemptions: statement('redemptions', passesOver),
    all: statement('all', passesOver),
    injected: statement('injected', passesOver),
  }
}

const waiting = statements(false)
const passingOver = statements(true)
