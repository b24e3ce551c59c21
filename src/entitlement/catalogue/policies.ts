import { z } from 'zod'
import { policyEntry, policyName } from '../../../schemas/catalogue.js'
import type { ContentPolicy } from '../../../schemas/policy.js'
import type { CatalogueFaults } from './faults.js'

/** The policies of a catalogue: named ones, and those of contents. Equal policies are read once and shared. */
export class CataloguePolicies {
  /** `undefined` for a broken policy: its faults are reported once, at its own place. */
  readonly #named = new Map<string, ContentPolicy | undefined>()
  readonly #byText = new Map<string, ContentPolicy>()

  constructor(given: Readonly<Record<string, unknown>>, faults: CatalogueFaults) {
    for (const [name, policy] of Object.entries(given)) {
      const named = policyName.safeParse(name)
      const read = policyEntry.safeParse(policy)
      for (const { error } of [named, read]) if (error !== undefined) faults.add(['policies', name], error)
      this.#named.set(name, read.data)
    }
  }

  get count(): number {
    return this.#named.size
  }

  /** The policy field of a content. */
  readonly schema = z
    .unknown()
    .transform((given, context) =>
      typeof given === 'string' ? this.#ofName(given, context) : this.#own(given, context),
    )

  #ofName(name: string, context: z.RefinementCtx): ContentPolicy {
    if (!this.#named.has(name)) context.addIssue({ code: 'custom', message: 'is the name of no policy' })
    return this.#named.get(name) ?? z.NEVER
  }

  #own(given: unknown, context: z.RefinementCtx): ContentPolicy {
    const text = isFlat(given) ? JSON.stringify(given) : undefined
    const former = text === undefined ? undefined : this.#byText.get(text)
    if (former !== undefined) return former
    const read = policyEntry.safeParse(given)
    if (read.success) {
      if (text !== undefined) this.#byText.set(text, read.data)
      return read.data
    }
    for (const issue of read.error.issues) {
      const { path, message } = issue
      if (issue.code !== 'unrecognized_keys') context.addIssue({ code: 'custom', path, message })
      else context.addIssue({ code: issue.code, keys: issue.keys, path, input: {} })
    }
    return z.NEVER
  }
}

/** Anything else is no policy, and may be nested too deeply to be turned into text. */
function isFlat(given: unknown): given is object {
  return typeof given === 'object' && given !== null && Object.values(given).every(value => typeof value !== 'object')
}
