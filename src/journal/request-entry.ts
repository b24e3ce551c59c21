import type { JournalledRequest } from '../../schemas/journal.js'
import { rfc3339 } from '../ground/clock.js'
import type { RecordedRequest } from './journal.js'
import { Masking } from './masking.js'
import type { Searchable } from './pattern.js'

/** The event that a request left in the transaction log. */
export interface RequestEvent {
  readonly eventId: number
  readonly tokenId: string | undefined
}

/** A recorded request as it is shown. Masking is done for the members that somebody asks for. */
export class RequestEntry implements Searchable {
  event: RequestEvent | undefined
  #madeMasking: Masking | undefined
  #parameters: JournalledRequest['parameters'] | undefined

  constructor(readonly recorded: RecordedRequest) {}

  member(name: string): unknown {
    const read: ((entry: RequestEntry) => unknown) | undefined = MEMBERS[name as keyof JournalledRequest]
    return read?.(this)
  }

  toJson(): JournalledRequest {
    const members = Object.entries(MEMBERS).map(([name, read]) => [name, read(this)])
    // Each member has the type that the table below gives it.
    return Object.fromEntries(members.filter(([, value]) => value !== undefined)) as JournalledRequest
  }

  /** In a few words. */
  describe(): string {
    const { method, path, status, errorCode, id, time } = this.toJson()
    const outcome = [status, errorCode === status ? undefined : errorCode].filter(one => one !== undefined).join(' ')
    return `${method ?? 'no HTTP'} ${path ?? ''} -> ${outcome} at ${time} (${id})`
  }

  get parameters(): JournalledRequest['parameters'] {
    this.#parameters ??= this.masking.parameters() as JournalledRequest['parameters'] // lists are read only here
    return this.#parameters
  }

  get masking(): Masking {
    this.#madeMasking ??= new Masking(this.recorded)
    return this.#madeMasking
  }

  text(text: string | undefined): string | undefined {
    return text === undefined ? undefined : this.masking.text(text)
  }

  name(name: string | undefined): string | undefined {
    return name === undefined ? undefined : this.masking.name(name)
  }
}

const MEMBERS: {
  readonly [name in keyof Required<JournalledRequest>]: (entry: RequestEntry) => JournalledRequest[name]
} = {
  id: entry => entry.masking.id(),
  number: ({ recorded }) => recorded.number,
  time: ({ recorded }) => rfc3339(recorded.time),
  ms: ({ recorded }) => recorded.ms,
  method: ({ recorded }) => recorded.method || undefined,
  path: entry => (entry.recorded.url === '' ? undefined : entry.masking.path()),
  route: ({ recorded }) => recorded.route,
  host: entry => entry.text(entry.recorded.host),
  address: entry => entry.masking.text(entry.recorded.address),
  userAgent: entry => entry.text(entry.recorded.userAgent),
  customer: ({ recorded }) => recorded.customer,
  environment: ({ recorded }) => recorded.environment,
  drm: ({ recorded }) => recorded.drm,
  parameters: entry => entry.parameters,
  ignored: entry => ignoredOf(entry),
  assumed: ({ recorded }) => recorded.assumed?.split(', '),
  status: ({ recorded }) => recorded.status,
  errorCode: ({ recorded }) => recorded.errorCode,
  message: entry => entry.text(entry.recorded.message),
  parameter: entry => entry.name(entry.recorded.parameter),
  fault: ({ recorded }) => recorded.fault,
  tokenId: ({ event }) => event?.tokenId,
  eventId: ({ event }) => event?.eventId,
}

const IGNORED = /^(\S+?)(?: \(did you mean (\S+)\?\))?$/

/** From the header `x-ignored-parameters`, whose names are escaped as in a URL. */
function ignoredOf({ recorded, masking }: RequestEntry): JournalledRequest['ignored'] {
  const names = recorded.ignored?.split(', ').flatMap(text => {
    const [, name, suggestion = null] = IGNORED.exec(text) ?? []
    return name === undefined ? [] : [[masking.name(unescaped(name)), suggestion] as const]
  })
  return names && Object.fromEntries(names)
}

function unescaped(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name // cut in the middle of an escape
  }
}
