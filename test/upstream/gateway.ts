import type { Test } from 'tap'
import { shownAccount } from '../../schemas/admin.js'
import type { RecordsAnswer } from '../../schemas/records.js'
import type { Settings } from '../../src/index.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { NOON, startTestServer, type TestServer } from '../harness.js'

export const ADMIN_TOKEN = 'only-for-administrators'
const ID = 9
const BALANCE = 100_000

/** What callers show, and what the gateway shows to the upstream in their stead. */
export const LOCAL = {
  test: `${ID},00000000000000000000000000000009`,
  production: `${ID},90000000000000000000000000000009`,
}
export const REAL = { test: '777,7e577e577e577e577e577e577e577e57', production: '777,11feb10011feb10011feb10011feb100' }

export const account = { id: ID, authenticators: LOCAL, balance: BALANCE, upstream: REAL }

export interface Gateway extends TestServer {
  /** A token request of the account, with JSON errors and a cookie that tells it from all others. */
  ask(cookie: string, change?: Record<string, string>): Promise<Answered>
  /** What the log says of the requests with this cookie. */
  eventsOf(cookie: string): Promise<RecordsAnswer['events']>
  /** How many tokens were taken from the balance and not given back. */
  paid(): Promise<number>
  metric(name: string): Promise<number>
}

export interface Answered {
  readonly status: number
  readonly retryAfter: string | null
  readonly body: { readonly token?: string; readonly code?: number; readonly message?: string }
}

export async function startGateway(
  t: Test,
  upstreamUrl: string,
  settings: Settings = {},
  now = () => NOON,
  uptime?: () => number,
): Promise<Gateway> {
  const server = await startTestServer(t, {
    accounts: [account],
    now,
    ...(uptime && { uptime }),
    settings: {
      MODE: 'gateway',
      UPSTREAM_TEST_URL: upstreamUrl,
      UPSTREAM_PRODUCTION_URL: upstreamUrl,
      ADMIN_TOKEN,
      ...settings,
    },
  })
  for (const authenticator of [...Object.values(LOCAL), ...Object.values(REAL)])
    server.keepSecret(authenticator.replace(/^\d+,/, ''))
  const administrator = administratorOf(server, ADMIN_TOKEN)
  return {
    ...server,
    ask: async (cookie, change = {}) => {
      const response = await server.post({ customerAuthenticator: LOCAL.test, errorFormat: 'json', cookie, ...change })
      const body = (await response.json()) as Answered['body'] // what the tests check is in it
      return { status: response.status, retryAfter: response.headers.get('retry-after'), body }
    },
    eventsOf: async cookie => {
      const query = new URLSearchParams({ customerAuthenticator: LOCAL.test, cookie })
      const response = await fetch(`${server.url}/cmiapi/getrecord/?${query}`)
      return ((await response.json()) as RecordsAnswer).events // as documented
    },
    paid: async () => {
      const { services } = await bodyOf(shownAccount, administrator.get(`/accounts/${ID}`))
      return BALANCE - services.test.balance
    },
    metric: async name => {
      const text = await (await fetch(`${server.url}/metrics`)).text()
      return Number(
        text
          .split('\n')
          .find(line => line.startsWith(`${name} `))
          ?.slice(name.length + 1),
      )
    },
  }
}
