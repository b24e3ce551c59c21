import type { Content, ContentEntry, ContentKey } from '../../../schemas/content-entry.js'
import type { ContentOrder, ListedContent, ShownContent } from '../../../schemas/contents.js'
import type { KeyRequest } from '../../../schemas/keys.js'
import type { PolicyInput } from '../../../schemas/policy-entries.js'
import { rfc3339 } from '../../ground/clock.js'
import type { ContentRow } from '../../store/tables.js'

type Stored = Pick<ContentRow, 'content_id' | 'updated_at'>
type Readable = Extract<ShownContent, { readable: true }>

/** What an administrator sees of a content: everything but its keys. */
export function shown(row: Stored, opened: ContentOrder | undefined): ShownContent {
  if (opened === undefined) return unreadable(row)
  return { ...terms(row, opened), viewers: opened.entry.viewers }
}

/** The same for a list, with the number of viewers: there may be thousands. */
export function listed(row: Stored, opened: ContentOrder | undefined): ListedContent {
  if (opened === undefined) return unreadable(row)
  const { viewers } = opened.content
  return { ...terms(row, opened), viewers: viewers === 'everyone' ? viewers : viewers.size }
}

function unreadable({ content_id, updated_at }: Stored) {
  return { contentID: content_id, updatedAt: rfc3339(updated_at), readable: false } as const
}

/** Field by field, so that no other field gets out. */
function terms({ content_id, updated_at }: Stored, { entry, content }: ContentOrder): Omit<Readable, 'viewers'> {
  return {
    contentID: content_id,
    updatedAt: rfc3339(updated_at),
    readable: true,
    ...licences(entry, content),
    keys: content.keys.map(shownKey),
    duration: content.duration,
    ...(entry.until !== undefined && { until: entry.until }),
    ...(content.devicesPerCookie !== undefined && { devicesPerCookie: content.devicesPerCookie }),
  }
}

/** In the form in which they were put. */
function licences(entry: ContentEntry, content: Content): Pick<Readable, 'drm' | 'policy' | 'licences'> {
  if (entry.licences === undefined) return { drm: content.licences[0]?.drm, policy: definedOf(entry.policy) }
  const policies = entry.licences.map(({ policy }) => policy)
  return { licences: content.licences.map(({ drm }, index) => ({ drm, policy: definedOf(policies[index]) })) }
}

function shownKey(key: ContentKey): Readable['keys'][number] {
  const { kid, algId = 'aesctr', iv } = key
  return { kid, algId, ...(iv !== undefined && { iv }), source: sourceOf(key) }
}

function sourceOf({ contentKey, ek }: KeyRequest): Readable['keys'][number]['source'] {
  if (contentKey !== undefined) return 'contentKey'
  return ek === undefined ? 'keystore' : 'wrapped'
}

function definedOf(policy: PolicyInput = {}): NonNullable<Readable['policy']> {
  const shown: NonNullable<Readable['policy']> = {}
  for (const [name, value] of Object.entries(policy))
    if (value !== undefined) shown[name] = typeof value === 'object' ? [...value] : value
  return shown
}
