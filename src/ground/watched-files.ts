import { type Stats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Clock } from './clock.js'

const EVERY_MS = 250

export interface WatchedFiles {
  close(): void
}

/**
 * Calls `changed` when one of the files is another than at this call. They are polled four times a second: a mounted
 * secret changes behind a symlink, which the system does not report. A change counts once the files were the same in two
 * polls. When `changed` returns `'again'`, because the files don't fit together yet, every poll calls it again.
 */
export function watchFiles(
  paths: readonly string[],
  clock: Clock,
  changed: () => Promise<'done' | 'again'>,
  everyMs = EVERY_MS,
): WatchedFiles {
  let known: string | undefined = paths.map(stateNow).join(' ')
  let last = known
  let isLooking = false
  let isClosed = false
  const look = async () => {
    const state = (await Promise.all(paths.map(stateOf))).join(' ')
    const isSettled = state === last
    last = state
    if (!isSettled || state === known || isClosed) return
    known = (await changed()) === 'again' ? undefined : state
  }
  const timer = clock.every(everyMs, () => {
    if (isLooking) return
    isLooking = true
    look()
      .catch(() => {
        // `changed` has reported the error; the files are read again.
        known = undefined
      })
      .finally(() => {
        isLooking = false
      })
  })
  return {
    close: () => {
      isClosed = true
      timer.cancel()
    },
  }
}

function stateNow(path: string): string {
  try {
    return stateIn(statSync(path))
  } catch {
    return MISSING
  }
}

async function stateOf(path: string): Promise<string> {
  try {
    return stateIn(await stat(path))
  } catch {
    return MISSING
  }
}

/** For a moment: it is being replaced. */
const MISSING = 'missing'

function stateIn({ ino, mtimeMs, ctimeMs, size }: Stats): string {
  return `${ino} ${mtimeMs} ${ctimeMs} ${size}`
}
