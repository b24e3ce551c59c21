import type { KeyRequest } from '../../schemas/keys.js'
import type { SortedParameters } from '../../schemas/sorting.js'
import type { TokenTerms } from '../../schemas/token-request.js'
import { type Accounts, requireAccount, requireDrm, requireEnabled } from '../accounts/authentication.js'
import type { IssuedToken, TokenFamily } from '../drm/family.js'
import type { Environment } from '../ground/environment.js'
import { andThen, type MaybePromise } from '../ground/maybe-promise.js'
import type { RequestTrace } from '../ground/request-trace.js'
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
export class TokenProgress {
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
  /** Whether the request came over TLS, as far as we or a trusted proxy know. */
  readonly isSecure: boolean
  readonly requestId: string
  /** Called with the account's rate limit status. */
  readonly reportRateLimit: ReportRateLimit
  /** Where requests are traced. */
  readonly trace?: RequestTrace | undefined
}

export interface TokenStepParts {
  readonly accounts: Accounts
  readonly limit: AccountLimit
  readonly keyStorage: KeyStorage
  readonly issuer: TokenIssuer
}

/** Throws the documented error that ends the request. */
type TokenStep = (progress: TokenProgress, parts: TokenStepParts) => MaybePromise<void>

/**
 * The steps of every token, of any DRM. The rate limit comes before any write to the log, so that a flood does not fill
 * it.
 */
const TOKEN_STEPS = {
  credentials: progress => {
    progress.authenticator = found(progress.source.readCredentials?.(), 'authenticator')
  },
  account: (progress, { accounts }) => {
    const authenticator = found(progress.authenticator, 'authenticator')
    const { environment, trace } = progress.context
    return andThen(requireAccount(accounts, authenticator, environment), account => {
      progress.account = account
      if (trace !== undefined) trace.customerId = account.id
    })
  },
  limit: (progress, { limit }) => {
    limit.admit(accountOf(progress), progress.context.environment, progress.context.reportRateLimit)
    progress.isWithinLimit = true
  },
  enabled: progress => {
    requireEnabled(accountOf(progress))
  },
  drm: progress => {
    requireDrm(accountOf(progress), progress.source.family)
  },
  keys: (progress, { keyStorage, issuer }) => {
    const owner = { customerId: accountOf(progress).id, environment: progress.context.environment }
    const mayBeElsewhere = issuer.hasKeyStorage
    const resolving = resolveContentKeys(progress.source.readKeys(), owner, { storage: keyStorage, mayBeElsewhere })
    return andThen(resolving, keys => {
      progress.keys = keys
    })
  },
  terms: progress => {
    progress.terms = progress.source.readTerms(accountOf(progress))
  },
  device: progress =>
    progress.source.findDevice === undefined ? undefined : bindToDevice(progress, progress.source.findDevice()),
  issue: async (progress, { issuer }) => {
    progress.token = await issuer.issue(orderOf(progress))
  },
} satisfies Record<string, TokenStep>

type TokenStepName = keyof typeof TOKEN_STEPS

type NamedStep = readonly [TokenStepName, TokenStep]

/** These steps, one after the other. */
export class TokenSteps {
  readonly #steps: readonly NamedStep[]

  constructor(...names: readonly TokenStepName[]) {
    this.#steps = names.map(name => [name, TOKEN_STEPS[name]])
  }

  /** A promise only where a step waits: most tokens wait for their ledger event alone. */
  take(progress: TokenProgress, parts: TokenStepParts, from = 0): MaybePromise<void> {
    const { trace } = progress.context
    for (let place = from; place < this.#steps.length; place += 1) {
      const [name, step] = this.#steps[place] as NamedStep // within the bounds
      const taking = step(progress, parts)
      const passing = taking === undefined ? trace?.passed(name) : taking.then(() => trace?.passed(name))
      if (passing !== undefined) return passing.then(() => this.take(progress, parts, place + 1))
    }
  }
}

/** From keys to token: what one Idempotency-Key does once, and what the entitlement service does for a content. */
export const ISSUING = new TokenSteps('keys', 'terms', 'device', 'issue')

export function accountOf({ account }: TokenProgress): Account {
  return found(account, 'account')
}

export function tokenOf({ token }: TokenProgress): IssuedToken {
  return found(token, 'token')
}

async function bindToDevice(progress: TokenProgress, finding: Promise<string>): Promise<void> {
  const deviceId = await finding
  const terms = found(progress.terms, 'terms')
  progress.terms = { ...terms, restrictions: { ...terms.restrictions, deviceId } }
}

function orderOf({ source, context, account, keys, terms }: TokenProgress): TokenOrder {
  const { policies, restrictions, useHttps } = found(terms, 'terms')
  return {
    account: found(account, 'account'),
    environment: context.environment,
    family: source.family,
    keys: found(keys, 'keys').map(({ kid, contentKey, algId }, index) => ({
      kid,
      contentKey,
      algId: algId ?? source.family.algorithm,
      policy: found(policies[index], 'policy'),
    })),
    restrictions,
    useHttps,
    host: context.host,
    isSecure: context.isSecure,
    requestId: context.requestId,
    source,
    flaw: context.trace?.fault?.flaw,
  }
}

/** The result of an earlier step. */
function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`a step is missing that finds the ${what} of a token`)
  return value
}
