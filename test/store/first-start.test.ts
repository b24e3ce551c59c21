import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { repetitions } from '../counts.js'
import { runCommand, startCommand } from '../process.js'

const ROUNDS = repetitions({ usual: 3, long: 8 })

t.test('a first start that is killed leaves a database that the next start can use', async t => {
  const folder = t.testdir()
  for (let round = 0; round < ROUNDS; round += 1) {
    const settings = { DATABASE_URL: `sqlite:${join(folder, `${round}.db`)}` }
    const killed = startCommand(t, ['migrate'], settings)
    while (!existsSync(join(folder, `${round}.db-wal`)) && killed.child.exitCode === null) await setImmediate()
    const moment = performance.now() + (round * 8) / ROUNDS
    while (performance.now() < moment) await setImmediate()
    killed.child.kill('SIGKILL')
    await killed.ended
    t.match(
      await runCommand(t, ['migrate'], settings),
      { code: 0 },
      `round ${round}, killed soon after it began to write`,
    )
  }
})
