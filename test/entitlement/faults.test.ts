import { connect } from 'node:tls'
import t from 'tap'
import { entitlementAnswer } from '../../schemas/entitlement.js'
import type { Faults } from '../app.js'
import { failingLedger } from '../ledger/failing-ledger.js'
import { entitlementAppInMemory } from './app.js'
import { heldLog } from './held-log.js'
import { CATALOGUE, clientTls, deviceBound, MESSAGE } from './service.js'
import { throughGateway } from './stages.js'

const secret = 'a secret in the text of an error'
const question = { messageID: MESSAGE, version: 1, contentID: CATALOGUE.film }

t.test('a fault of ours is no decision, has the same form, and tells nothing of its cause', async t => {
  const fails = () => Promise.reject(new Error(secret))
  const failing = failingLedger(secret)
  const unforeseenly = () => {
    throw new TypeError(secret)
  }
  const unforeseen = { ...failing, recordIssue: unforeseenly }
  const cases: [title: string, faults: Faults, asked: object, status: number, error: number][] = [
    ['a grant that cannot be recorded', { ledger: failing }, {}, 503, -2030],
    ['a refusal that cannot be recorded', { ledger: failing }, { contentID: CATALOGUE.unknown }, 503, -2030],
    [
      'keys that cannot be looked up',
      { keyStorage: { findWrapped: fails } },
      { contentID: CATALOGUE.stored },
      503,
      -4019,
    ],
    ['what nobody foresaw', { ledger: unforeseen }, {}, 500, 500],
  ]
  for (const [title, faults, asked, status, error] of cases) {
    const { app, log } = await entitlementAppInMemory(t, { faults })
    const answer = await app.inject({ method: 'POST', url: '/entitlement', payload: { ...question, ...asked } })
    t.equal(answer.statusCode, status, title)
    t.match(entitlementAnswer.parse(answer.json()), { messageID: MESSAGE, version: 1, isAllowed: false, error }, title)
    t.notMatch(answer.body + log.join(''), secret, title)
    t.match(log.join(''), '"msg":"failed"', title)
  }
})

t.test('a decision is in the log although nobody waits for it any more', async t => {
  const log = await heldLog(t)
  const DATABASE_URL = `sqlite:${t.testdir()}/gone.db`
  const { server } = await throughGateway(t, { UPSTREAM_TEST_API_URL: log.url, DATABASE_URL })
  const { hostname, port } = new URL(server.entitlementUrl ?? '')
  const socket = connect({ host: hostname, port: Number(port), ...(await clientTls()) })
  const bound = { ...question, requestType: deviceBound, customerCookie: 'viewer-1' }
  socket.write(asHttp(bound))
  const release = await log.asked()
  socket.destroy()
  const closing = server.close()
  await refusesConnections(hostname, Number(port))
  release([])
  await closing
  const { events } = await throughGateway(t, { DATABASE_URL })
  t.match(await events('viewer-1'), [{ event: 'entitlement_refused', error_code: 1104 }])
})

function asHttp(asked: object): string {
  const body = JSON.stringify(asked)
  return `POST /entitlement HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}

/** Resolves when the port is let go of. */
async function refusesConnections(host: string, port: number): Promise<void> {
  const { ca } = await clientTls()
  const isOpen = () =>
    new Promise<boolean>(resolve => {
      const socket = connect({ host, port, ca })
      socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED'))
      socket.on('secureConnect', () => {
        socket.destroy()
        resolve(true)
      })
    })
  while (await isOpen());
}
