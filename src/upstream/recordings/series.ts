import { type Compared, distance, fingerprint, leadOf, TOLERANCE, withStoredKeys } from './matching.js'
import { familyAt } from './recording.js'
import type { NamedRecording } from './recording-folder.js'
import { safeNames, withoutSecretValues } from './redaction.js'

/** The recordings of one request that was sent several times, in their order. */
export class Series {
  readonly customerId: number
  /** The file of its first recording. */
  readonly file: string
  readonly first: Compared
  readonly #recordings: NamedRecording[] = []
  #replayed = 0

  constructor(recording: NamedRecording, first: Compared) {
    this.customerId = recording.request.customerId
    this.file = recording.file
    this.first = first
    this.add(recording)
  }

  /** A retry replaces the try before it: the caller got the answer of the last one. */
  add(recording: NamedRecording): void {
    const before = (recording.request.try ?? 1) - 1
    if (before > 0) this.#removeTry(before)
    this.#recordings.push(recording)
  }

  distanceTo(asked: Compared): number | undefined {
    return distance(this.first, asked)
  }

  /** One after the other, then the last one again and again. */
  next(): NamedRecording {
    const recording = this.#recordings[Math.min(this.#replayed, this.#recordings.length - 1)]
    if (recording === undefined) throw new Error('a series has a recording')
    this.#replayed += 1
    return recording
  }

  restart(): void {
    this.#replayed = 0
  }

  #removeTry(number: number): void {
    const earlier = this.#recordings.findLastIndex(
      ({ request, failure }) => failure !== undefined && (request.try ?? 1) === number,
    )
    if (earlier !== -1) this.#recordings.splice(earlier, 1)
  }
}

/** A recording written by hand may show values that the recorder hides. */
function comparedOf({ request, recordedAt }: NamedRecording): Compared {
  const { environment, path } = request
  const family = familyAt(path)
  const { parameters, secrets } = withoutSecretValues({ family, parameters: request.parameters })
  const hidden = new Set([...secrets, ...safeNames(family, request.secrets)])
  return { environment, family, parameters, secrets: [...hidden], time: recordedAt }
}

/** Finds the series for a request. */
export class SeriesIndex {
  readonly all: readonly Series[]
  readonly #byPlace = new Map<string, Series[]>()

  constructor(recordings: readonly NamedRecording[]) {
    const all: Series[] = []
    for (const recording of recordings) {
      const request = comparedOf(recording)
      const own = this.#alike(request).filter(({ customerId }) => customerId === recording.request.customerId)
      const same = closest(own, request)
      if (same === undefined) all.push(this.#added(new Series(recording, request)))
      else same.add(recording)
    }
    this.all = all
  }

  find(asked: Compared, customerId: number): Series | undefined {
    return this.#closest(asked, customerId) ?? this.#closest(withStoredKeys(asked), customerId)
  }

  /** Prefers the same customer's series: a suite may run with another account than the recorded one. */
  #closest(asked: Compared, customerId: number): Series | undefined {
    const alike = this.#alike(asked)
    const own = alike.filter(one => one.customerId === customerId)
    return closest(own, asked) ?? closest(alike, asked)
  }

  #added(series: Series): Series {
    const { same, near } = placesOf(series.first)
    for (const place of new Set([...same, ...near.slice(0, 1)])) {
      const there = this.#byPlace.get(place)
      if (there === undefined) this.#byPlace.set(place, [series])
      else there.push(series)
    }
    return series
  }

  #alike(request: Compared): readonly Series[] {
    const { same, near } = placesOf(request)
    return [...new Set([...same, ...near].flatMap(place => this.#byPlace.get(place) ?? []))]
  }
}

/**
 * The index keys of a request, so that reading a folder takes linear time. Requests are alike when they differ only in
 * moments, and their first moment has the same text (`same`) or the same distance from the request (`near`, its own
 * slot first).
 */
function placesOf(request: Compared): { readonly same: readonly string[]; readonly near: readonly string[] } {
  const alike = fingerprint(request)
  const [moment] = Object.keys(request.parameters)
    .filter(name => leadOf(name, request) !== undefined)
    .sort()
  if (moment === undefined) return { same: [alike], near: [] }
  const slot = Math.floor((leadOf(moment, request) ?? 0) / TOLERANCE)
  return {
    same: [`${alike} ${request.parameters[moment]}`],
    near: [slot, slot - 1, slot + 1].map(one => `${alike} ${one}`),
  }
}

function closest(series: readonly Series[], asked: Compared): Series | undefined {
  const alike = series.flatMap(one => {
    const distance = one.distanceTo(asked)
    return distance === undefined ? [] : [{ one, distance }]
  })
  return alike.sort((a, b) => a.distance - b.distance)[0]?.one
}
