import type { Test } from 'tap'
import { shownAccount } from '../../schemas/admin.js'
import type { RecordedEvent } from '../../schemas/records.js'
import type { ServerOptions } from '../../src/index.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { type Change, startTestServer, type TestServer } from '../harness.js'

export interface KeyedServer extends TestServer {
  /** One of the customers that have three tokens: 11 to 19. */
  customer(id: number): KeyedCustomer
}

export interface KeyedCustomer {
  readonly customerAuthenticator: string
  /** Asks for a token with an Idempotency-Key. */
  ask(key: string, change?: Change, headers?: Record<string, string>): Promise<Response>
  setBalance(balance: number): Promise<void>
  book(): Promise<Book>
}

export interface Book {
  readonly balance: number
  /** The oldest first, as `<event> <error_code>`. */
  readonly events: readonly string[]
}

const TOKEN_KEYS = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'
const BALANCE = 3

const accounts = [11, 12, 13, 14, 15, 16, 17, 18, 19].map(id => ({
  id,
  authenticators: { test: `${id},${'0'.repeat(30)}${id}`, production: `${id},${'1'.repeat(30)}${id}` },
  balance: BALANCE,
}))

export async function startKeyedServer(t: Test, { settings, ...options }: ServerOptions = {}): Promise<KeyedServer> {
  const server = await startTestServer(t, { settings: { TOKEN_KEYS, ...settings }, accounts, ...options })
  return { ...server, customer: id => customerOf(server, id) }
}

function customerOf(server: TestServer, id: number): KeyedCustomer {
  const customerAuthenticator = `${id},${'0'.repeat(30)}${id}`
  const administrator = administratorOf(server)
  return {
    customerAuthenticator,
    ask: (key, change, headers) =>
      server.post({ customerAuthenticator, ...change }, { 'idempotency-key': key, ...headers }),
    setBalance: async set => {
      const answer = await administrator.post(`/accounts/${id}/balance`, { environment: 'test', set })
      if (!answer.ok) throw new Error(await answer.text())
    },
    book: async () => {
      const query = new URLSearchParams({ customerAuthenticator, start: '0', length: '1000' })
      const answer = await fetch(`${server.url}/cmiapi/getrecord/?${query}`)
      const { events } = (await answer.json()) as { events: RecordedEvent[] } // the documented answer
      const account = await bodyOf(shownAccount, administrator.get(`/accounts/${id}`))
      return {
        balance: account.services.test.balance,
        events: events.map(({ event, error_code }) => `${event} ${error_code}`),
      }
    },
  }
}

/** What an answer says in short: its token, and whether it was issued before; or its error code. */
export async function told(answer: Response): Promise<{ token?: string; isReplayed?: boolean; code?: number }> {
  const { token, code } = (await answer.json()) as { token?: string; code?: number } // one of the two
  if (token === undefined) return { code: code ?? 0 }
  return { token, isReplayed: answer.headers.get('idempotency-replayed') === 'true' }
}
