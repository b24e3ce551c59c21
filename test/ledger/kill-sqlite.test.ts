import { join } from 'node:path'
import t from 'tap'
import { repetitions } from '../counts.js'
import { killAgainAndAgain, killSeed } from './kill.js'

const rounds = repetitions({ usual: 3, long: 30 })

t.test(`SQLite, killed ${rounds} times under load: every answered token is booked once (KILL_SEED=${killSeed})`, t =>
  killAgainAndAgain(t, rounds, `sqlite:${join(t.testdir(), 'ledger.db')}`),
)
