import type { Difference } from './differences.js'
import { type Answer, outcomeOf } from './outcome.js'

/** What no answer shows by itself: that another one had the same token or request id, and which host is whose. */
export class DifferencesBetween {
  readonly #hosts: ReadonlySet<string>
  readonly #tokens = new Set<string>()
  readonly #requestIds = new Set<string>()

  /** `hosts` may be in licence URLs. */
  constructor(hosts: ReadonlySet<string>) {
    this.#hosts = hosts
  }

  of(answer: Answer): Difference[] {
    const outcome = outcomeOf(answer)
    const found: Difference[] = []
    const requestId = answer.headers.get('x-request-id')
    if (requestId !== null && isKnown(this.#requestIds, requestId)) found.push(again('x-request-id'))
    if (outcome.kind !== 'a token') return found
    if (isKnown(this.#tokens, outcome.token)) found.push(again('token'))
    const { hostname } = URL.canParse(outcome.licenseAcquisitionUrl) ? new URL(outcome.licenseAcquisitionUrl) : NOWHERE
    if (!this.#hosts.has(hostname))
      found.push({
        what: 'licenseAcquisitionUrl',
        expected: `on ${[...this.#hosts].join(' or ')}`,
        got: `on ${hostname}`,
      })
    return found
  }
}

const NOWHERE = { hostname: 'no host' }

function again(what: 'token' | 'x-request-id'): Difference {
  return { what, expected: 'another one each time', got: 'that of an earlier answer' }
}

function isKnown(known: Set<string>, text: string): boolean {
  const isKnown = known.has(text)
  known.add(text)
  return isKnown
}
