import type { Test } from 'tap'
import { shownAccount } from '../../schemas/admin.js'
import type { RecordsAnswer } from '../../schemas/records.js'
import type { IssuedToken, TokenFamily } from '../../src/drm/family.js'
import type { Settings } from '../../src/index.js'
import type { Change } from '../../src/verify/vectors.js'
import { administratorOf, bodyOf } from '../administrator.js'
import type { FamilyCase } from '../families.js'
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
  /** A token request of the account for any DRM: the plain one with a change. */
  order(of: FamilyCase, change?: Change, options?: RequestOptions): Promise<Response>
  /** The same with a cookie that tells it from all others, and with its outcome as JSON. */
  askFor(of: FamilyCase, cookie: string, change?: Change): Promise<Answered>
  /** A token request of the account, with JSON errors and a cookie that tells it from all others. */
  ask(cookie: string, change?: Record<string, string>): Promise<Answered>
  /** What the log says of the requests with this cookie. */
  eventsOf(cookie: string): Promise<RecordsAnswer['events']>
  /** How many tokens were taken from the balance and not given back. */
  paid(): Promise<number>
  /** The sum of a metric's series with these labels. */
  metric(name: string): Promise<number>
}

export interface RequestOptions {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Record<string, string>
}

export interface Answered {
  readonly status: number
  readonly retryAfter: string | null
  readonly body: {
    readonly token?: string
    readonly licenseAcquisitionUrl?: string
    readonly code?: number
    readonly message?: string
  }
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
  const order: Gateway['order'] = ({ family }, change = {}, { method = 'POST', headers = {} } = {}) => {
    const plain = { customerAuthenticator: LOCAL.test, ...change }
    return server.request(family, method === 'POST' ? 'post' : 'get', plain, headers)
  }
  return {
    ...server,
    order,
    askFor: async (of, cookie, change = {}) =>
      answered(await order(of, { cookie, ...change }, { headers: { accept: 'application/json' } })),
    ask: async (cookie, change = {}) => {
      const order = { customerAuthenticator: LOCAL.test, errorFormat: 'json', cookie, ...change }
      return answered(await server.post(order))
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
      const [wanted, ...labels] = name.split(/[{,}]/).filter(part => part !== '')
      const values = text.split('\n').flatMap(line => {
        const [, found, given = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
        return found === wanted && labels.every(label => given.split(',').includes(label)) ? [Number(value)] : []
      })
      return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value)
    },
  }
}

/** What a token request of this DRM is answered with, in either form. */
export function tokenIn({ answer }: TokenFamily, text: string): IssuedToken | undefined {
  return text.startsWith('{') ? (JSON.parse(text) as IssuedToken) : answer.read(text) // as documented
}

async function answered(response: Response): Promise<Answered> {
  const body = (await response.json()) as Answered['body'] // what the tests check is in it
  return { status: response.status, retryAfter: response.headers.get('retry-after'), body }
}
