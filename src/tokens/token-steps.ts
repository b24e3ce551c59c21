import type { KeyRequest } from '../../schemas/keys.js'
import type { SortedParameters } from '../../schemas/sorting.js'
import type { TokenTerms } from '../../schemas/token-request.js'
import { type Accounts, requireAccount, requireDrm, requireEnabled } from '../accounts/authentication.js'
import type { IssuedToken, TokenFamily } from '../drm/family.js'
import type { Environment } from '../ground/environment.js'
import { type ResolvedKey, resolveContentKeys } from '../keys/content-keys.js'
import type { KeyStorage } from '../keys/key-storage.js'
import type { AccountLimit, ReportRateLimit } from '../limits/rate-limits.js'
import type { Account } from '../store/account-records.js'
import type { TokenIssuer, TokenOrder } from './issuer.js'

/** What a token is made from: the parameters of a request, or a content of the entitlement service's catalogue. */
export interface TokenSource {
  readonly family: TokenFamily
  /** As parameters of a token request, for an issuer that asks another service. */
  readonly parameters: SortedParameters
  /** The authenticator, of a request that brings its account's. */
  readCredentials?(): string
  readKeys(): readonly KeyRequest[]
  readTerms(account: Account): TokenTerms
  /** Finds the device that the token is for, if the request does not name it. */
  findDevice?(): Promise<string>
}

/** The state of one token request. Each step adds its result. */
export class TokenCourse {
  authenticator: string | undefined = undefined
  account: Account | undefined
  keys: readonly ResolvedKey[] | undefined = undefined
  terms: TokenTerms | undefined = undefined
  token: IssuedToken | undefined = undefined
  /** Whether it is within the account's limit: only then its refusal is an event of the account's log. */
  isWithinLimit = false

  constructor(
    readonly source: TokenSource,
    readonly context: TokenContext,
    account?: Account,
  ) {
    this.account = account
  }
}

export interface TokenContext {
  readonly environment: Environment
  /** Where clients reach the licence endpoints, as far as the request says: a host and its port. */
  readonly host: string
  readonly requestId: string
  /** Called with the account's rate limit status. */
  readonly reportRateLimit: ReportRateLimit
}

export interface TokenStepParts {
  readonly accounts: Accounts
  readonly limit: AccountLimit
  readonly keyStorage: KeyStorage
  readonly issuer: TokenIssuer
}

/** Throws the documented error that ends the request. */
type TokenStep = (course: TokenCourse, parts: TokenStepParts) => void | Promise<void>

/**
 * The steps of every token, of any DRM. The rate limit comes before any write to the log, so that a flood does not fill
 * it.
 */
const TOKEN_STEPS = {
  credentials: course => {
    course.authenticator = found(course.source.readCredentials?.(), 'authenticator')
  },
  account: async (course, { accounts }) => {
    const authenticator = found(course.authenticator, 'authenticator')
    course.account = await requireAccount(accounts, authenticator, course.context.environment)
  },
  limit: (course, { limit }) => {
    limit.admit(accountOf(course), course.context.environment, course.context.reportRateLimit)
    course.isWithinLimit = true
  },
  enabled: course => {
    requireEnabled(accountOf(course))
  },
  drm: course => {
    requireDrm(accountOf(course), course.source.family)
  },
  keys: async (course, { keyStorage, issuer }) => {
    const owner = { customerId: accountOf(course).id, environment: course.context.environment }
    const mayBeElsewhere = issuer.hasKeyStorage
    course.keys = await resolveContentKeys(course.source.readKeys(), owner, { storage: keyStorage, mayBeElsewhere })
  },
  terms: course => {
    course.terms = course.source.readTerms(accountOf(course))
  },
  device: course =>
    course.source.findDevice === undefined ? undefined : bindToDevice(course, course.source.findDevice()),
  issue: async (course, { issuer }) => {
    course.token = await issuer.issue(orderOf(course))
  },
} satisfies Record<string, TokenStep>

export type TokenStepName = keyof typeof TOKEN_STEPS

/** These steps, one after the other. */
export class TokenSteps {
  readonly #steps: readonly TokenStep[]

  constructor(...names: readonly TokenStepName[]) {
    this.#steps = names.map(name => TOKEN_STEPS[name])
  }

  async take(course: TokenCourse, parts: TokenStepParts): Promise<void> {
    for (const step of this.#steps) {
      const taking = step(course, parts)
      if (taking !== undefined) await taking
    }
  }
}

export function accountOf({ account }: TokenCourse): Account {
  return found(account, 'account')
}

export function tokenOf({ token }: TokenCourse): IssuedToken {
  return found(token, 'token')
}

async function bindToDevice(course: TokenCourse, finding: Promise<string>): Promise<void> {
  const deviceId = await finding
  const terms = found(course.terms, 'terms')
  course.terms = { ...terms, restrictions: { ...terms.restrictions, deviceId } }
}

function orderOf({ source, context, account, keys, terms }: TokenCourse): TokenOrder {
  const { policies, restrictions, useHttps } = found(terms, 'terms')
  return {
    account: found(account, 'account'),
    environment: context.environment,
    family: source.family,
    keys: found(keys, 'keys').map(({ kid, contentKey, algId }, index) => ({
      kid,
      contentKey,
      algId,
      policy: found(policies[index], 'policy'),
    })),
    restrictions,
    useHttps,
    host: context.host,
    requestId: context.requestId,
    source,
  }
}

/** The result of an earlier step. */
function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`a step is missing that finds the ${what} of a token`)
  return value
}
