import type { Test } from 'tap'
import { startPostgres } from './postgres.js'

/** Runs the same tests on both engines: `database()` is the URL of a new, empty database. */
export function onBothEngines(t: Test, name: string, run: (t: Test, database: () => Promise<string>) => Promise<void>) {
  let files = 0
  void t.test(`${name}, SQLite`, async t => {
    const folder = t.testdir()
    await run(t, async () => `sqlite:${folder}/${files++}.db`)
  })
  void t.test(`${name}, PostgreSQL`, async t => {
    const server = await startPostgres(t)
    await run(t, () => server.newDatabase())
  })
}
