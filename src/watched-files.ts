import { stat } from 'node:fs/promises'

const EVERY_MS = 1000

export interface WatchedFiles {
  close(): void
}

/**
 * Calls `changed` when one of the files is another than before. They are looked at once a second: a mounted secret
 * changes behind a link, of which the system tells nobody. What `changed` answers with `'again'`, because the files
 * don't fit together yet, is tried again although they stay as they are.
 */
export function watchFiles(
  paths: readonly string[],
  changed: () => Promise<'done' | 'again'>,
  everyMs = EVERY_MS,
): WatchedFiles {
  let known: string | undefined
  let isLooking = false
  const look = async () => {
    const state = (await Promise.all(paths.map(stateOf))).join(' ')
    const isFirst = known === undefined
    if (state === known) return
    known = state
    if (!isFirst && (await changed()) === 'again') known = 'unread'
  }
  const timer = setInterval(() => {
    if (isLooking) return
    isLooking = true
    void look().finally(() => {
      isLooking = false
    })
  }, everyMs)
  timer.unref()
  void look()
  return { close: () => clearInterval(timer) }
}

/** What is missing for a moment is being replaced. */
async function stateOf(path: string): Promise<string> {
  try {
    const { ino, mtimeMs, size } = await stat(path)
    return `${ino} ${mtimeMs} ${size}`
  } catch {
    return 'missing'
  }
}
