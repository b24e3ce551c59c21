import type { KeyRequest } from '../../schemas/keys.js'
import type { SortedParameters } from '../../schemas/sorting.js'
import type { TokenTerms } from '../../schemas/token-request.js'
import type { Accounts } from '../accounts/accounts.js'
import { requireAccount, requireDrm, requireEnabled } from '../accounts/authentication.js'
import type { IssuedToken, TokenFamily } from '../drm/family.js'
import type { Environment } from '../ground/environment.js'
import type { KeyStorage } from '../keys/key-storage.js'
import { type ResolvedKey, resolveContentKeys } from '../keys/resolve.js'
import type { AccountLimit, Tell } from '../limits/rate-limits.js'
import type { Account } from '../store/account-records.js'
import type { TokenIssuer, TokenOrder } from './issuer.js'

/** What a token is asked with: the parameters of a request, or a content of the entitlement service's catalogue. */
export interface TokenSource {
  readonly family: TokenFamily
  /** In the words of a token request, for an issuer that asks another service. */
  readonly parameters: SortedParameters
  /** The authenticator, of a request that brings its account's. */
  readCredentials?(): string
  readKeys(): readonly KeyRequest[]
  readTerms(account: Account): TokenTerms
  /** The device that the token is for, where the request itself does not say. */
  findDevice?(): Promise<string>
}

/** One token on its way. Each step adds what it has found. */
export interface TokenCourse {
  readonly source: TokenSource
  readonly environment: Environment
  readonly host: string
  readonly requestId: string
  /** Where the account stands against its limit. */
  readonly tell: Tell
  authenticator?: string
  account?: Account
  keys?: readonly ResolvedKey[]
  terms?: TokenTerms
  token?: IssuedToken
}

export interface TokenStepParts {
  readonly accounts: Accounts
  readonly limit: AccountLimit
  readonly keyStorage: KeyStorage
  readonly issuer: TokenIssuer
}

/** Throws the documented error that ends the request. */
export type TokenStep = (course: TokenCourse, parts: TokenStepParts) => void | Promise<void>

/**
 * The way of every token, whichever DRM it is for. The limit comes before the log is touched, so that a flood does not
 * fill it.
 */
export const TOKEN_STEPS = {
  credentials: course => {
    course.authenticator = found(course.source.readCredentials?.(), 'authenticator')
  },
  account: async (course, { accounts }) => {
    const authenticator = found(course.authenticator, 'authenticator')
    course.account = await requireAccount(accounts, authenticator, course.environment)
  },
  limit: (course, { limit }) => limit.admit(accountOf(course), course.environment, course.tell),
  enabled: course => requireEnabled(accountOf(course)),
  drm: course => requireDrm(accountOf(course), course.source.family),
  keys: async (course, { keyStorage, issuer }) => {
    const owner = { customerId: accountOf(course).id, environment: course.environment }
    const mayBeElsewhere = issuer.hasKeyStorage
    course.keys = await resolveContentKeys(course.source.readKeys(), owner, { storage: keyStorage, mayBeElsewhere })
  },
  terms: course => {
    course.terms = course.source.readTerms(accountOf(course))
  },
  device: course => course.source.findDevice && bindToDevice(course, course.source.findDevice()),
  issue: async (course, { issuer }) => {
    course.token = await issuer.issue(orderOf(course))
  },
} satisfies Record<string, TokenStep>

export type TokenStepName = keyof typeof TOKEN_STEPS

export async function take(
  steps: readonly TokenStepName[],
  course: TokenCourse,
  parts: TokenStepParts,
): Promise<TokenCourse> {
  for (const name of steps) {
    const step: TokenStep = TOKEN_STEPS[name]
    const taken = step(course, parts)
    if (taken !== undefined) await taken
  }
  return course
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

function orderOf(course: TokenCourse): TokenOrder {
  const { source, environment, host, requestId } = course
  const { policies, restrictions, useHttps } = found(course.terms, 'terms')
  const keys = found(course.keys, 'keys').map(({ kid, contentKey, algId }, index) => ({
    kid,
    contentKey,
    algId,
    policy: found(policies[index], 'policy'),
  }))
  const { family } = source
  return {
    account: accountOf(course),
    environment,
    family,
    keys,
    restrictions,
    useHttps,
    host,
    requestId,
    // Only an issuer that asks another service looks at it.
    get parameters() {
      return source.parameters
    },
  }
}

/** What a former step has found. */
function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`a step is missing that finds the ${what} of a token`)
  return value
}
