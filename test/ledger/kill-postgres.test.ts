import t from 'tap'
import { startPostgres } from '../postgres.js'
import { killAgainAndAgain, killRounds, killSeed } from './kill.js'

const rounds = killRounds(20)

t.test(
  `PostgreSQL, killed ${rounds} times under load: every answered token is booked once (KILL_SEED=${killSeed})`,
  async t => {
    t.testdir()
    const server = await startPostgres(t)
    await killAgainAndAgain(t, rounds, await server.newDatabase())
  },
)
