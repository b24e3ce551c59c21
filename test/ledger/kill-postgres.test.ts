import t from 'tap'
import { repetitions } from '../counts.js'
import { startPostgres } from '../postgres.js'
import { killAgainAndAgain, killSeed } from './kill.js'

const rounds = repetitions({ usual: 3, long: 20 })

t.test(
  `PostgreSQL, killed ${rounds} times under load: every answered token is booked once (KILL_SEED=${killSeed})`,
  async t => {
    t.testdir()
    const server = await startPostgres(t)
    await killAgainAndAgain(t, rounds, await server.newDatabase())
  },
)
