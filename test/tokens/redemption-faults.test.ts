import t, { type Test } from 'tap'
import type { Store } from '../../src/store/store.js'
import { appWith } from '../app.js'
import { accounts } from '../harness.js'
import { clearKeyBody, playreadyBody } from '../redeeming.js'

const secret = 'a secret in the text of an error'
const KID = '334b5d3d44f54f56a410e07caaa7160e'

/** An application whose store loses what `lose` takes away after the token is there. */
async function redeemedWithout(t: Test, lose: (store: Store) => void, maxRedemptions: number | null = null) {
  const limited = accounts.map(account => ({ ...account, maxRedemptions }))
  const { app, services, log, ...tokens } = await appWith(t, { accounts: limited })
  const issued = await tokens.ask({ kid: KID })
  const { token } = issued.json() as { token: string } // a wrong answer would fail below
  lose(services.store)
  const ask = (path: string, payload: string) =>
    app.inject({ method: 'POST', url: `${path}?ExpressPlayToken=${token}`, payload })
  return { ask, log }
}

const failing = () => Promise.reject(new Error(secret))

const losses: [title: string, lose: (store: Store) => void, maxRedemptions: number | null][] = [
  ['the ledger', store => Object.assign(store.events, { commit: failing }), null],
  ['the count of redemptions', store => Object.assign(store.events, { commit: failing }), 5],
]

for (const [title, lose, maxRedemptions] of losses)
  t.test(`without ${title} there is no licence, but -2030`, async t => {
    const { ask, log } = await redeemedWithout(t, lose, maxRedemptions)
    const refused = await ask('/hms/ck/rights/', clearKeyBody(KID))
    t.equal(refused.statusCode, 503)
    t.match(refused.json(), { code: -2030 })
    const fault = await ask('/playready/RightsManager.asmx', playreadyBody())
    t.equal(fault.statusCode, 500)
    t.match(fault.body, /<StatusCode>0x8004C604<\/StatusCode><CustomData>\{"code":-2030,/)
    t.notMatch(refused.body + fault.body + log.join(), secret)
    t.match(log.join(), '"msg":"failed"')
  })

t.test('a refusal that cannot be written down is -2030, too', async t => {
  const { ask } = await redeemedWithout(t, store => Object.assign(store.events, { commit: failing }))
  t.match((await ask('/hms/ck/rights/', '')).json(), { code: -2030 })
})
