import { readFileSync } from 'node:fs'
import type { ErrorCode } from '../errors/error-catalogue.js'
import { builtFile } from '../ground/own-package.js'

/** A request that is refused, as data. */
export interface Refusal {
  readonly title: string
  /** The families of tokens that it is for; without it all. */
  readonly for?: readonly string[]
  /** It changes what other parameters mean, so it is not sent together with another fault. */
  readonly alone?: true
  readonly code: ErrorCode
  readonly parameter?: string
  readonly change: Change
}

/** A published request that gets a token, as data. */
export interface Sample {
  readonly title: string
  /** As above. */
  readonly for?: readonly string[]
  readonly change: Change
  /** The keys in the token, for tests that can open it. */
  readonly keys: readonly object[]
  /** The header x-ignored-parameters. */
  readonly ignored?: string
  /** The header x-assumed-parameters. */
  readonly assumed?: string
  /** That of the licence URL, where the request says which. */
  readonly scheme?: 'https' | 'http'
}

interface RefusalVectors {
  readonly refusals: readonly Refusal[]
  /** The titles of two that are sent together: the first in the catalogue is the answer. */
  readonly orders: readonly (readonly [string, string])[]
  /** The titles of those that are sent without errorFormat, too: the answer is a page. */
  readonly pages: readonly string[]
}

export const { refusals, orders, pages } = vector<RefusalVectors>('refusals.json')
export const { samples } = vector<{ readonly samples: readonly Sample[] }>('samples.json')

function vector<T>(name: string): T {
  return JSON.parse(readFileSync(builtFile(`vectors/${name}`), 'utf8')) as T // ours, and part of the build
}

/** What a request changes of the published sample: replace, leave out, or give more than once. */
export type Change = Readonly<Record<string, string | null | readonly string[]>>

/** A request's parameters, as a form or a query. */
export function changed(sample: Readonly<Record<string, string>>, change: Change): URLSearchParams {
  const parameters = new URLSearchParams(sample)
  for (const [name, value] of Object.entries(change)) {
    parameters.delete(name)
    for (const one of value === null ? [] : [value].flat()) parameters.append(name, one)
  }
  return parameters
}
