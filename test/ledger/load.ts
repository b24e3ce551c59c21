import { Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { type Change, form } from '../harness.js'
import type { Customer } from './service.js'

/** What came back for one request. */
export interface Answer {
  readonly status: number
  readonly contentType: string | undefined
  readonly requestId: string
  readonly body: { readonly token?: string; readonly code?: number; readonly requestId?: string }
  /** How long it took. */
  readonly ms: number
}

/** Asks for a token over a connection that the agent keeps; rejects when the whole answer does not come. */
export function ask(url: string, agent: Agent, customer: Customer, change: Change = {}): Promise<Answer> {
  const body = form({ customerAuthenticator: customer.authenticator, ...change }).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length }
  const begin = performance.now()
  return new Promise((resolve, reject) => {
    const asking = request(`${url}/hms/pr/token`, { method: 'POST', agent, headers })
    asking.on('error', reject)
    asking.on('response', (response: IncomingMessage) =>
      text(response).then(read => {
        const { 'content-type': contentType, 'x-request-id': requestId } = response.headers
        resolve({
          status: response.statusCode ?? 0,
          contentType,
          requestId: String(requestId),
          body: JSON.parse(read),
          ms: performance.now() - begin,
        })
      }, reject),
    )
    asking.end(body)
  })
}

/** More than one group of the ledger holds, so that there is always another one waiting. */
export const STOREFRONTS = 48
/** Refusals come at once: without a breath they would be all that the machine does. */
const BREATH_MS = 100
/** How often each is refused before a service goes on whose database is there again: it tries that often, not once in a while. */
export const MOST_REFUSALS_OF_EACH = 20

/** Storefronts that ask for one token after the other, each on a connection of its own that is kept. */
export class Load {
  readonly tokens: string[] = []
  readonly refusals: Answer[] = []
  /** Storefronts whose connection broke: they have given up. */
  unanswered = 0
  /** How long the slowest answer took. */
  slowestMs = 0
  readonly #agent = new Agent({ keepAlive: true })
  readonly #storefronts: Promise<void>[]
  #isOver = false

  constructor(url: string, customer: Customer) {
    this.#storefronts = Array.from({ length: STOREFRONTS }, () => this.#askAgainAndAgain(url, customer))
  }

  async moreTokens(count: number): Promise<void> {
    const enough = this.tokens.length + count
    await eventually(() => this.tokens.length >= enough, `${count} more tokens`)
  }

  async moreRefusals(count: number): Promise<void> {
    const enough = this.refusals.length + count
    await eventually(() => this.refusals.length >= enough, `${count} more refusals`)
  }

  /** Resolves when so many were refused one after the other, and none was given a token in between. */
  async nothingButRefusals(count: number): Promise<void> {
    let [tokens, refusals] = [this.tokens.length, this.refusals.length]
    await eventually(() => {
      if (this.tokens.length > tokens) [tokens, refusals] = [this.tokens.length, this.refusals.length]
      return this.refusals.length >= refusals + count
    }, `${count} refusals in a row`)
  }

  /** Lets what is under way be answered. */
  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#storefronts)
    this.#agent.destroy()
  }

  async #askAgainAndAgain(url: string, customer: Customer): Promise<void> {
    while (!this.#isOver) {
      const answer = await ask(url, this.#agent, customer).catch(() => undefined)
      if (answer === undefined) {
        this.unanswered += 1
        return
      }
      this.slowestMs = Math.max(this.slowestMs, answer.ms)
      if (answer.body.token !== undefined) this.tokens.push(answer.body.token)
      else {
        this.refusals.push(answer)
        await pause(BREATH_MS)
      }
    }
  }
}

/** That nobody was left without an answer, and every refusal says that the ledger is out of reach. */
export function checkRefusals(t: Test, load: Load): void {
  t.equal(load.unanswered, 0, 'all were answered')
  const isDocumented = ({ status, contentType, requestId, body }: Answer) =>
    status === 503 && contentType === 'application/json' && body.code === -2030 && body.requestId === requestId
  t.same(
    load.refusals.filter(answer => !isDocumented(answer)),
    [],
    `${load.refusals.length} refusals`,
  )
}

/** Resolves when it is so; rejects when it is still not so after a while. */
export async function eventually(isSo: () => boolean | Promise<boolean>, what: string, deadlineMs = 20_000) {
  const end = performance.now() + deadlineMs
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await pause(5)
  }
}
