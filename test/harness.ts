import { pino } from 'pino'
import type { Test } from 'tap'
import { TOKEN_FAMILIES } from '../src/drm/families.js'
import type { TokenFamily } from '../src/drm/family.js'
import { playready } from '../src/drm/playready-family.js'
import { type Server, type ServerOptions, startServer } from '../src/index.js'
import { sampleParameters, sampleRequest } from '../src/sample.js'
import { type Answer, outcomeOf } from '../src/verify/answer-outcome.js'
import type { Authenticators } from '../src/verify/cases.js'
import { type Change, changed } from '../src/verify/vectors.js'

export type { Change } from '../src/verify/vectors.js'

export interface TestServer extends Server {
  /** Everything that was logged so far. */
  readonly log: readonly string[]
  /** What must not be found in the log either, where a test sends it by itself. */
  keepSecret(secret: string): void
  get(change?: Change, headers?: Record<string, string>): Promise<Response>
  post(change?: Change, headers?: Record<string, string>): Promise<Response>
  /** The same for any family of tokens. */
  request(
    family: TokenFamily,
    method: 'get' | 'post',
    change?: Change,
    headers?: Record<string, string>,
  ): Promise<Response>
}

/** The first of June 2026, at noon: nothing in a test depends on the day on which it runs. */
export const NOON = Date.UTC(2026, 5, 1, 12)

/** Accounts with the traits that a request can meet; the demo account is the plain one. */
export const accounts = [
  {
    id: 201722,
    authenticators: {
      test: sampleParameters.customerAuthenticator,
      production: '201722,6d1f0c5e9b3f4826a1e7c0d95b64f213',
    },
  },
  { id: 2, authenticators: { test: '2,00000000000000000000000000000002' }, enabled: false },
  {
    id: 3,
    authenticators: { test: '3,00000000000000000000000000000003' },
    drm: { playready: false, widevine: false, fairplay: false, marlin: false },
  },
  { id: 4, authenticators: { test: '4,00000000000000000000000000000004' }, balance: 0 },
  { id: 5, authenticators: { test: '5,00000000000000000000000000000005' }, balance: 3 },
  { id: 6, authenticators: { test: '6,00000000000000000000000000000006' }, drm: { playready: true } },
  { id: 8, authenticators: { test: '8,00000000000000000000000000000008' }, strictParameters: true },
  { id: 9, authenticators: { test: '9,00000000000000000000000000000009' }, drm: { fairplayDeviceBinding: false } },
]

/** Those accounts by their traits, as the error table names them. */
export const authenticators: Authenticators = {
  own: sampleParameters.customerAuthenticator,
  production: '201722,6d1f0c5e9b3f4826a1e7c0d95b64f213',
  disabled: '2,00000000000000000000000000000002',
  'no-drm': '3,00000000000000000000000000000003',
  'never-drm': '6,00000000000000000000000000000006',
  'no-balance': '4,00000000000000000000000000000004',
  strict: '8,00000000000000000000000000000008',
  unbound: '9,00000000000000000000000000000009',
}

/**
 * A server on a free port that this test uses and that stops with it. At the end all that it logged and its metrics
 * are searched for every secret that it was sent or had answered.
 */
export async function startTestServer(t: Test, options: ServerOptions = {}): Promise<TestServer> {
  const log: string[] = []
  const logger = pino({ level: 'trace' }, { write: line => void log.push(line) })
  const server = await startServer({ accounts, now: () => NOON, logger, ...options })
  const secrets = new SecretRegister()
  for (const { authenticators } of accounts) Object.values(authenticators).forEach(one => void secrets.add(one))

  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= closeAndSearch()
    return closing
  }
  t.teardown(close)

  async function closeAndSearch(): Promise<void> {
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    await server.close()
    const told = [...log, metrics].join('\n')
    if (secrets.isIn(told)) throw new Error('a secret is in the log or the metrics')
  }

  async function answer(request: Request): Promise<Response> {
    const response = await fetch(request)
    const body = await response.clone().text()
    for (const family of TOKEN_FAMILIES) {
      const outcome = outcomeOf({ status: response.status, headers: response.headers, body }, family)
      if (outcome.kind === 'a token') secrets.add(outcome.token)
    }
    return response
  }

  const request: TestServer['request'] = (family, method, change = {}, headers = {}) => {
    const url = `${server.url}${family.tokenPath}`
    const parameters = secrets.noting(form(change, family))
    return answer(
      method === 'get'
        ? new Request(`${url}?${parameters}`, { headers })
        : new Request(url, { method: 'POST', body: parameters, headers }),
    )
  }
  return {
    ...server,
    close,
    log,
    keepSecret: secret => secrets.add(secret),
    get: (change, headers) => request(playready, 'get', change, headers),
    post: (change, headers) => request(playready, 'post', change, headers),
    request,
  }
}

/** The published sample's content key is also its kid, which is no secret: this one can be searched for. */
export const CONTENT_KEY = '5ec2e7a0c0ffee00123456789abcdef0'

/** The sample of a family with a change, as a form or a query. */
export function form(change: Change = {}, family: Pick<TokenFamily, 'name'> = playready): URLSearchParams {
  return changed({ ...sampleRequest(family), contentKey: CONTENT_KEY }, change)
}

const SECRET_NAMES = /^(?:contentKey|kek|ek|userKey|customerAuthenticator)(?:\.\d+)?$/

/** The secrets of one server, and every spelling in which one might get out. */
export class SecretRegister {
  readonly #spellings = new Set<string>()

  noting(parameters: URLSearchParams): URLSearchParams {
    for (const [name, value] of parameters) if (SECRET_NAMES.test(name)) this.add(value.replace(/^\d+,/, ''))
    return parameters
  }

  add(secret: string): void {
    // In the published sample itself.
    if (secret.length < 16 || secret === sampleParameters.kid) return
    for (const spelling of [secret, secret.toUpperCase(), encodeURIComponent(secret)]) this.#spellings.add(spelling)
    if (!/^[0-9a-f]+$/i.test(secret)) return
    const bytes = Buffer.from(secret, 'hex')
    for (const spelling of [bytes.toString('base64'), bytes.toString('base64url')]) this.#spellings.add(spelling)
  }

  isIn(text: string): boolean {
    return [...this.#spellings].some(spelling => text.includes(spelling))
  }
}

/** The body of an error in JSON. */
export interface ErrorBody {
  readonly code: number
  readonly message: string
  readonly parameter?: string
  readonly requestId: string
}

export async function errorOf(response: Response): Promise<ErrorBody> {
  return (await response.json()) as ErrorBody // what the tests check is in it
}

/** An answer as it is compared with the specification. */
export async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, body: await response.text() }
}

/** The token that an answer carries. */
export async function tokenOf(response: Response): Promise<string> {
  const { token } = (await response.json()) as { token: string } // as above
  return token
}

/** The id of a token of the style of 2021, which stands in its outer bytes. */
export function uuidOf(token: string): string {
  return Buffer.from(token, 'base64url').toString('latin1', 10, 46)
}
