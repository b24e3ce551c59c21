import { Worker } from 'node:worker_threads'
import { builtFile } from '../../ground/own-package.js'

/** SQLite's thread, started before the store asks for it. */
let early: Worker | undefined

/** Starts the thread of a database file while the rest of the program loads, which takes as long. */
export function startThreadFor(databaseUrl: string): void {
  if (!databaseUrl.startsWith('sqlite:')) return
  early = newThread()
  early.unref() // a start that fails before it needs the thread ends without it
}

/** The thread that was started early, or a new one. It has no database yet. */
export function takeThread(): Worker {
  const thread = early ?? newThread()
  early = undefined
  thread.ref()
  return thread
}

function newThread(): Worker {
  return new Worker(builtFile('sqlite-thread.js'), { resourceLimits: { maxYoungGenerationSizeMb: 8 } })
}
