import type { ContentOrder, ListedContent, ShownContent } from '../../../schemas/contents.js'
import type { KeyRequest } from '../../../schemas/keys.js'
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
    drm: content.drm,
    keys: content.keys.map(key => ({ kid: key.kid, algId: key.algId ?? 'aesctr', source: sourceOf(key) })),
    policy: definedOf(entry.policy),
    duration: content.duration,
    ...(entry.until !== undefined && { until: entry.until }),
    ...(content.devicesPerCookie !== undefined && { devicesPerCookie: content.devicesPerCookie }),
  }
}

function sourceOf({ contentKey, ek }: KeyRequest): Readable['keys'][number]['source'] {
  if (contentKey !== undefined) return 'contentKey'
  return ek === undefined ? 'keystore' : 'wrapped'
}

function definedOf(policy: Readonly<Record<string, string | number | boolean | undefined>>): Readable['policy'] {
  const shown: Readable['policy'] = {}
  for (const [name, value] of Object.entries(policy)) if (value !== undefined) shown[name] = value
  return shown
}
