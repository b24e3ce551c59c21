import { parentPort } from 'node:worker_threads'
import type { Answer, Question } from './connection.js'
import { SqliteDatabase } from './sqlite-database.js'

/** The thread that owns the database file: it answers one question after the other. */
let database: SqliteDatabase

parentPort?.on('message', (question: Question) => answer(() => ask(question)))

function ask(question: Question): unknown {
  switch (question.method) {
    case 'open':
      database = new SqliteDatabase(question.path)
      return undefined
    case 'execute':
      return database.execute(question.sql, question.values)
    case 'run':
      return database.run(question.script)
    case 'commit':
      return database.writer.commit(question.entries)
    case 'close':
      return database.close()
  }
}

function answer(work: () => unknown): void {
  let reply: Answer
  try {
    reply = { value: work() }
  } catch (error) {
    const { message, code }: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error))
    reply = { failure: { message, code } }
  }
  parentPort?.postMessage(reply)
}
