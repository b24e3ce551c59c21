import { join } from 'node:path'
import t from 'tap'
import { killAgainAndAgain, killRounds, killSeed } from './kill.js'

const rounds = killRounds(50)

t.test(`SQLite, killed ${rounds} times under load: every answered token is booked once (KILL_SEED=${killSeed})`, t =>
  killAgainAndAgain(t, rounds, `sqlite:${join(t.testdir(), 'ledger.db')}`),
)
