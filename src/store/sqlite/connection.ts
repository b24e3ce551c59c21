import type { Entry, Uncovered } from '../engine.js'
import { takeThread } from './early-thread.js'
import { type Outcome, SqliteDatabase } from './sqlite-database.js'
import type { Value } from './statement.js'

/** A database, in this thread or another. It handles one query at a time. */
export interface Connection {
  execute(sql: string, values: readonly Value[]): Promise<Outcome>
  run(script: string): Promise<void>
  commit(entries: readonly Entry[]): Promise<readonly Uncovered[]>
  close(): Promise<void>
}

/** In this thread: for a database in memory, which never waits for a disk. */
export function inlineConnection(path: string): Connection {
  const database = new SqliteDatabase(path)
  return {
    execute: async (sql, values) => database.execute(sql, values),
    run: async script => database.run(script),
    commit: async entries => database.writer.commit(entries),
    close: async () => database.close(),
  }
}

/** A message to the thread: a method of the database, and its arguments. The first opens it. */
export type Question =
  | { readonly method: 'open'; readonly path: string }
  | { readonly method: 'execute'; readonly sql: string; readonly values: readonly Value[] }
  | { readonly method: 'run'; readonly script: string }
  | { readonly method: 'commit'; readonly entries: readonly Entry[] }
  | { readonly method: 'close' }

export interface Answer {
  readonly value?: unknown
  /** An error as text, because a thread can't pass on more of it than that. */
  readonly failure?: { readonly message: string; readonly code: string | undefined }
}

/** In a worker thread, so that the main thread never waits for the disk. */
export async function threadConnection(path: string): Promise<Connection> {
  const worker = takeThread()
  const asked: { resolve(value: unknown): void; reject(error: Error): void }[] = []
  let end: Error | undefined

  worker.on('message', ({ value, failure }: Answer) => {
    const question = asked.shift()
    if (failure === undefined) question?.resolve(value)
    else question?.reject(Object.assign(new Error(failure.message), { code: failure.code }))
  })
  const refuseAll = (error: Error) => {
    end ??= error
    for (const { reject } of asked.splice(0)) reject(end)
  }
  worker.on('error', error => {
    refuseAll(error)
    // The service cannot run without the database, so this is an uncaught error of the process.
    throw error
  })
  worker.on('exit', () => refuseAll(new Error('the database is closed')))

  function ask(question: Question): Promise<unknown> {
    if (end !== undefined) return Promise.reject(end)
    return new Promise((resolve, reject) => {
      asked.push({ resolve, reject })
      worker.postMessage(question)
    })
  }

  try {
    await ask({ method: 'open', path })
  } catch (error) {
    await worker.terminate() // it would keep the process alive
    throw error
  }
  // The casts: each method returns what the database's method of that name returns.
  return {
    execute: (sql, values) => ask({ method: 'execute', sql, values }) as Promise<Outcome>,
    run: script => ask({ method: 'run', script }) as Promise<void>,
    commit: entries => ask({ method: 'commit', entries }) as Promise<readonly Uncovered[]>,
    close: async () => {
      await ask({ method: 'close' })
      await worker.terminate()
    },
  }
}
