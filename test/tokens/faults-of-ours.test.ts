import t from 'tap'
import { appWith } from '../app.js'
import { failingLedger } from '../ledger/failing-ledger.js'
import { account, LOCAL } from '../upstream/gateway.js'
import { issues, startHostile } from '../upstream/hostile.js'

const secret = 'a secret in the text of an error'

const ledger = failingLedger(secret)

t.test('a ledger that fails is -2030 with 503, and nothing of its error is told', async t => {
  const { ask, log } = await appWith(t, { faults: { ledger } })
  const answer = await ask()
  t.equal(answer.statusCode, 503)
  t.match(answer.json(), { code: -2030, message: /^\[-2030\] ExpressPlay Admin error: / })
  t.notMatch(answer.body + log.join(), secret)
  t.match(log.join(), '"msg":"failed"', 'the log says where it failed')
})

t.test('a gateway whose ledger fails does not ask its upstream', async t => {
  const upstream = await startHostile(t, issues)
  const { ask } = await appWith(t, { upstream: upstream.url, accounts: [account], faults: { ledger } })
  const answer = await ask({ customerAuthenticator: LOCAL.test })
  t.equal(answer.statusCode, 503)
  t.match(answer.json(), { code: -2030 })
  t.equal(upstream.arrivals.length, 0, 'a token that cannot be booked is not issued')
})

t.test('a key storage that cannot be reached is -4019 with 503', async t => {
  const keyStorage = { findWrapped: () => Promise.reject(new Error(secret)) }
  const { ask } = await appWith(t, { faults: { keyStorage } })
  const answer = await ask({ contentKey: null, kek: '000102030405060708090a0b0c0d0e0f' })
  t.equal(answer.statusCode, 503)
  t.match(answer.json(), { code: -4019 })
})

t.test('a key that is stored is taken from the storage', async t => {
  const wrapped = Buffer.from('1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5', 'hex')
  const asked: unknown[] = []
  const keyStorage = {
    findWrapped: async (...question: unknown[]) => {
      asked.push(question)
      return wrapped
    },
  }
  const { ask } = await appWith(t, { faults: { keyStorage } })
  const right = await ask({ contentKey: null, kid: '^kid1', kek: '000102030405060708090a0b0c0d0e0f' })
  t.equal(right.statusCode, 200)
  t.same(asked, [[{ customerId: 201722, environment: 'test' }, '80ea8bc8a58f990ad1f76bc665b30bfa']])
  const wrong = await ask({ contentKey: null, kek: '100102030405060708090a0b0c0d0e0f' })
  t.match(wrong.json(), { code: -4019 })
  t.equal(wrong.statusCode, 400)
})

t.test('an unforeseen error is a 500 with a request id and no more', async t => {
  const sealing = () => {
    throw new Error(secret)
  }
  const { ask, log } = await appWith(t, { faults: { sealing } })
  const answer = await ask()
  t.equal(answer.statusCode, 500)
  t.match(answer.json(), { code: 500, message: 'Internal server error', requestId: String })
  t.notMatch(answer.body + log.join(), secret)
})
