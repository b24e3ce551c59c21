import { policyName, readNamedPolicy } from '../../../schemas/catalogue.js'
import {
  type ContentLicence,
  type EntryIssue,
  isIssues,
  type LicenceInput,
  readOwnPolicy,
} from '../../../schemas/content-entry.js'
import type { CatalogueFaults } from './faults.js'

/** The policies of a catalogue: named ones, and those of contents. Equal policies are read once and shared. */
export class CataloguePolicies {
  /** `undefined` for a broken policy: its faults are reported once, at its own place. */
  readonly #named = new Map<string, ContentLicence | undefined>()
  readonly #byText = new Map<string, ContentLicence>()

  constructor(given: Readonly<Record<string, unknown>>, faults: CatalogueFaults) {
    for (const [name, policy] of Object.entries(given)) {
      const { error } = policyName.safeParse(name)
      const read = readNamedPolicy(policy)
      for (const issues of [error?.issues, read]) if (isIssues(issues)) faults.add(['policies', name], issues)
      this.#named.set(name, isIssues(read) ? undefined : read)
    }
  }

  get count(): number {
    return this.#named.size
  }

  /** A content's licence: with the name of a policy, or a policy of its own. */
  licence(written: LicenceInput): ContentLicence | readonly EntryIssue[] | undefined {
    return typeof written.policy === 'string' ? this.#ofName(written.policy, written) : this.#own(written)
  }

  #ofName(name: string, { drm }: LicenceInput): ContentLicence | readonly EntryIssue[] | undefined {
    if (!this.#named.has(name)) return [issue('is the name of no policy')]
    const named = this.#named.get(name)
    if (named === undefined || drm === undefined || drm === named.drm) return named
    return [issue(`is the name of a policy for ${named.drm}`)]
  }

  #own(written: LicenceInput): ContentLicence | readonly EntryIssue[] | undefined {
    const text = isFlat(written.policy) ? JSON.stringify(written) : undefined
    const former = text === undefined ? undefined : this.#byText.get(text)
    if (former !== undefined) return former
    const read = readOwnPolicy(written)
    if (text !== undefined && read !== undefined && !isIssues(read)) this.#byText.set(text, read)
    return read
  }
}

function issue(message: string): EntryIssue {
  return { code: 'custom', path: ['policy'], message, input: undefined }
}

/** Anything else is no policy, and may be nested too deeply to be turned into text. */
function isFlat(given: unknown): given is object {
  return isObject(given) && Object.values(given).every(value => !isObject(value) || isList(value))
}

function isList(value: object): boolean {
  return Array.isArray(value) && !value.some(isObject)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
