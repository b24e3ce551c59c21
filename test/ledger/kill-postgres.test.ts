import t from 'tap'
import { startPostgres } from '../postgres.js'
import { killAgainAndAgain, killSeed } from './kill.js'

t.test(
  `PostgreSQL, killed 20 times under load: every answered token is booked once (KILL_SEED=${killSeed})`,
  async t => {
    t.testdir()
    const server = await startPostgres(t)
    await killAgainAndAgain(t, 20, await server.newDatabase())
  },
)
