import { join } from 'node:path'
import t from 'tap'
import { killAgainAndAgain, killSeed } from './kill.js'

t.test(`SQLite, killed 50 times under load: every answered token is booked once (KILL_SEED=${killSeed})`, t =>
  killAgainAndAgain(t, 50, `sqlite:${join(t.testdir(), 'ledger.db')}`),
)
