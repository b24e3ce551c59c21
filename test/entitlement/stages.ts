import type { Test } from 'tap'
import type { RecordedEvent, RecordsAnswer } from '../../schemas/records.js'
import type { Settings } from '../../src/index.js'
import { sampleParameters } from '../../src/sample.js'
import { onBothEngines } from '../engines.js'
import { NOON, startTestServer, type TestServer } from '../harness.js'
import { CUSTOMER } from '../redeeming.js'
import { LOCAL, REAL, startGateway } from '../upstream/gateway.js'
import { askerOf, entitlementSettings } from './service.js'

/** An entitlement service, and where the tokens that it gives out are redeemed. */
export interface Stage {
  readonly server: TestServer
  readonly ask: Awaited<ReturnType<typeof askerOf>>
  /** Whose licence endpoints the token URLs name. */
  readonly licences: string
  /** What the customer's log says of a viewer, newest first. */
  events(cookie: string): Promise<RecordedEvent[]>
  readonly clock: { now: number }
}

/** The tokens are made and redeemed here. */
export async function emulating(t: Test, settings: Settings = {}): Promise<Stage> {
  const clock = { now: NOON }
  const given = { ENTITLEMENT_ACCOUNT: CUSTOMER, ...(await entitlementSettings(t)), ...settings }
  const server = await startTestServer(t, { settings: given, now: () => clock.now })
  const events = (cookie: string) => eventsOf(server, sampleParameters.customerAuthenticator, cookie)
  return { server, ask: await askerOf(t, server), licences: server.url, events, clock }
}

/** A gateway has them made and redeemed by an emulator, which stands for the real service. */
export async function throughGateway(t: Test, settings: Settings = {}): Promise<Stage & { upstream: TestServer }> {
  const clock = { now: NOON }
  const accounts = [{ id: 777, authenticators: REAL }]
  const { ENVIRONMENT } = settings
  const upstream = await startTestServer(t, { accounts, now: () => clock.now, settings: { ENVIRONMENT } })
  const given = { ...(await entitlementSettings(t)), ...settings }
  const server = await startGateway(t, upstream.url, given, () => clock.now)
  const events = (cookie: string) => eventsOf(server, LOCAL.test, cookie)
  const licences = settings.HIDE_UPSTREAM === 'true' ? server.url : upstream.url
  return { server, upstream, ask: await askerOf(t, server), licences, events, clock }
}

export type Scene = readonly [name: string, play: (t: Test, stage: Stage) => Promise<void>]

/** Plays the same on every stage, one scene after the other. */
export function onEveryStage(t: Test, scenes: readonly Scene[]): void {
  const playAll = async (t: Test, set: (t: Test) => Promise<Stage>) => {
    const stage = await set(t)
    for (const [name, play] of scenes) await t.test(name, t => play(t, stage))
  }
  onBothEngines(t, 'on the stages with a database', async (t, database) => {
    await t.test('emulated', t => playAll(t, async t => emulating(t, { DATABASE_URL: await database() })))
    await t.test('through a gateway', t =>
      playAll(t, async t => throughGateway(t, { DATABASE_URL: await database(), HIDE_UPSTREAM: 'true' })),
    )
  })
  void t.test('past a gateway, whose upstream the players see', t => playAll(t, throughGateway))
}

async function eventsOf(server: TestServer, customerAuthenticator: string, cookie: string): Promise<RecordedEvent[]> {
  const query = new URLSearchParams({ customerAuthenticator, cookie })
  const answer = await fetch(`${server.url}/cmiapi/getrecord/?${query}`)
  return ((await answer.json()) as RecordsAnswer).events // as documented
}
