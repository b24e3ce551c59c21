import type { IncomingHttpHeaders } from 'node:http'
import { AUTHENTICATOR } from '../../schemas/credentials.js'
import { kid as kidForm } from '../../schemas/keys.js'
import type { RawParameters } from '../../schemas/sorting.js'
import type { Accounts } from '../accounts/authentication.js'
import type { Environment } from '../ground/environment.js'
import { environmentOf } from '../ground/real-hosts.js'
import { givenTokens } from '../tokens/given-tokens.js'
import type { ReadToken } from '../tokens/token-content.js'
import type { Endpoint } from './endpoint.js'

/** A request as HTTP has read it. */
export interface ReadRequest {
  readonly method: string
  readonly host: string
  readonly query: unknown
  readonly body?: unknown
  readonly params: unknown
  readonly headers: IncomingHttpHeaders
}

export interface RequestFactsParts {
  readonly accounts: Accounts
  /** The environment of a request whose Host header names none. */
  readonly environment: Environment
  /** `undefined` for everything that is no token of this service. */
  openToken(token: string): ReadToken | undefined
}

/** What a request says of itself before any of it is checked. Each fact is found when it is asked for, once. */
export class RequestFacts {
  readonly method: string
  readonly #request: ReadRequest
  readonly #parts: RequestFactsParts
  #said: Said | undefined

  constructor(
    readonly endpoint: Endpoint,
    readonly route: string,
    request: ReadRequest,
    parts: RequestFactsParts,
  ) {
    this.method = request.method
    this.#request = request
    this.#parts = parts
  }

  get environment(): Environment {
    return environmentOf(this.#request, this.#parts.environment)
  }

  get drm(): string | undefined {
    if ('family' in this.endpoint) return this.endpoint.family.drm
    return this.endpoint.kind === 'entitlement' ? textIn(this.#request.body, 'drm') : undefined
  }

  get cookie(): string | undefined {
    return this.#whatItSays.cookie
  }

  /** Those that it names, as tokens have them. */
  get kids(): readonly string[] {
    return this.#whatItSays.kids
  }

  /** The owner of its token or its authenticator, if that is valid. */
  async customer(): Promise<number | undefined> {
    const { endpoint } = this
    if (endpoint.kind === 'entitlement') return endpoint.customerId
    if (endpoint.kind === 'licence') return this.#whatItSays.token?.customerId
    const authenticator = this.#parameter('customerAuthenticator')
    if (authenticator === undefined || !AUTHENTICATOR.test(authenticator)) return undefined
    // Where the store fails, the endpoint says so itself.
    try {
      return (await this.#parts.accounts.authenticate(authenticator, this.environment))?.id
    } catch {
      return undefined
    }
  }

  get #whatItSays(): Said {
    this.#said ??= this.#read()
    return this.#said
  }

  #read(): Said {
    const { endpoint } = this
    const { query, body, params } = this.#request
    switch (endpoint.kind) {
      case 'token': {
        const { schema } = endpoint.requests
        // The casts: as the form parser and Fastify made them.
        const sorted = schema.sort(query as RawParameters, body as RawParameters | undefined)
        return schema.readWhatHolds(sorted)
      }
      case 'licence':
        return this.#keyRequest(endpoint)
      case 'records':
        return { cookie: textIn(query, 'cookie'), kids: [] }
      case 'keystore': {
        const inPath = textIn(params, 'kid') ?? textIn(params, 'kids')
        const kids = inPath?.split(',') ?? [textIn(body, 'kid')]
        return { cookie: undefined, kids: kids.flatMap(kid => (kid === undefined ? [] : plainKid(kid))) }
      }
      case 'entitlement':
        return { cookie: textIn(body, 'customerCookie'), kids: [] }
      default:
        return { cookie: undefined, kids: [] }
    }
  }

  #keyRequest({ family }: Endpoint & { readonly kind: 'licence' }): Said {
    const { query, body, headers } = this.#request
    const { asked, tokens = [] } = family.read(body instanceof Buffer ? body : Buffer.alloc(0))
    const places = { query: query as RawParameters, headers } // as Fastify parses it
    const [first] = givenTokens(places, family, tokens)
    const token = first === undefined ? undefined : this.#parts.openToken(first)
    const kids = 'fault' in asked ? [] : asked.kids === 'all' ? (token?.keys.map(({ kid }) => kid) ?? []) : asked.kids
    return { cookie: token?.cookie, kids, token }
  }

  #parameter(name: string): string | undefined {
    return textIn(this.#request.query, name) ?? textIn(this.#request.body, name)
  }
}

interface Said {
  readonly cookie: string | undefined
  readonly kids: readonly string[]
  readonly token?: ReadToken | undefined
}

/** A KID as tokens have it, or the text as it was written where it is none. */
export function plainKid(text: string): string {
  return kidForm.safeParse(text).data ?? text
}

export function textIn(values: unknown, name: string): string | undefined {
  if (typeof values !== 'object' || values === null) return undefined
  const value: unknown = (values as Record<string, unknown>)[name] // an object has names
  return typeof value === 'string' ? value : undefined
}
