import type { TokenFamily } from '../drm/family.js'
import { licenceHostOf } from '../ground/real-hosts.js'
import { sampleParameters, sampleRequest } from '../sample.js'
import { isSecret, SecretFinder } from '../upstream/secret-finder.js'
import { isToken } from './answer-outcome.js'
import {
  type Authenticators,
  type Case,
  furtherCases,
  type Missing,
  refusalCases,
  refusalsFor,
  sampleCases,
} from './cases.js'
import { type Difference, DifferencesBetween, differences, isDecided } from './differences.js'
import { ask } from './send-case.js'

export interface VerificationParts {
  readonly service: URL
  readonly family: TokenFamily
  readonly authenticators: Authenticators
  /** The number that is in the tokens, where it is not that of the account that asks: behind a gateway. */
  readonly customerId?: number | undefined
  /** Leaves the samples out, which get tokens. */
  readonly isFree: boolean
  /** The host of licence URLs, where it is neither the service's own nor what the real service has. */
  readonly licenceHost?: string | undefined
  /** For one request, in milliseconds. */
  readonly timeout: number
  /** Replaces HTTP in tests. */
  readonly ask?: typeof ask
}

/** Where a service differs from the specification. No key, no token and no authenticator is in it. */
export interface Report {
  readonly requests: number
  /** What the service issued, and counted. */
  readonly tokens: number
  readonly differences: readonly FoundDifference[]
  readonly unanswered: readonly Unanswered[]
  readonly notTried: readonly Missing[]
}

export interface FoundDifference extends Named, Difference {
  /** The public documentation leaves it open; the specification decided. */
  readonly isDecided: boolean
}

export interface Unanswered extends Named {
  readonly cause: unknown
}

interface Named {
  readonly title: string
  readonly method: Case['method']
}

/** The hosts that licence URLs may have: that of the DRM beside a token host's, and else the service's own. */
function hostsOf({ service: { hostname }, family, licenceHost }: VerificationParts): ReadonlySet<string> {
  if (licenceHost !== undefined) return new Set([licenceHost])
  return new Set([hostname, licenceHostOf(hostname, family.licenceHost.label)])
}

/** After this many unanswered requests in a row the service counts as down. */
const MAX_UNANSWERED_IN_A_ROW = 3

/** The error table and the published samples, sent to a service one after the other. */
export class Verification {
  readonly #parts: VerificationParts
  readonly #cases: readonly Case[]
  readonly #notTried: readonly Missing[]
  /** How many requests should get a token. */
  readonly credits: number

  constructor(parts: VerificationParts) {
    this.#parts = parts
    const { known, missing } = refusalsFor(parts.family, parts.authenticators)
    const samples = parts.isFree ? [] : sampleCases(parts.family, parts.authenticators, parts.customerId)
    this.#cases = [...refusalCases(known), ...furtherCases(known), ...samples]
    this.#notTried = missing
    this.credits = samples.length
  }

  get requests(): number {
    return this.#cases.length
  }

  async run(): Promise<Report> {
    const found: FoundDifference[] = []
    const unanswered: Unanswered[] = []
    const { family, authenticators, ask: send = ask } = this.#parts
    const asked = { ...this.#parts, own: authenticators.own }
    const between = new DifferencesBetween(hostsOf(this.#parts), family)
    let requests = 0
    let tokens = 0
    let inARow = 0
    for (const one of this.#cases) {
      const { title, method, expected } = one
      requests += 1
      try {
        const answer = await send(one, asked)
        inARow = 0
        if (isToken(answer, family)) tokens += 1
        for (const difference of [...differences(expected, answer, family), ...between.of(answer)])
          found.push({ title, method, ...this.#public(difference, one), isDecided: isDecided(difference) })
      } catch (cause) {
        unanswered.push({ title, method, cause })
        inARow += 1
        if (inARow === MAX_UNANSWERED_IN_A_ROW) break
      }
    }
    return { requests, tokens, differences: found, unanswered, notTried: this.#notTried }
  }

  #public({ what, expected, got }: Difference, { change }: Case): Difference {
    const { authenticators, family } = this.#parts
    const keys = Object.entries({ ...sampleRequest(family), ...change }).flatMap(([name, value]) =>
      [value ?? []].flat().filter(text => isSecret(name, text)),
    )
    const secrets = [...keys, sampleParameters.contentKey, ...Object.values(authenticators)]
    const hidden = secrets.map(text => text.replace(/^\d+,/, ''))
    return { what, expected, got: plain(got, hidden) }
  }
}

const LONGEST = 80

/** A terminal shows it, and a service may answer anything. */
function plain(text: string, secrets: readonly string[]): string {
  const line = new SecretFinder(secrets)
    .without(text)
    .replace(/[\w+/-]{64,}/g, '…')
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line
}
