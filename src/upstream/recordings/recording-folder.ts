import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { link, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { jsonFaults } from '../../../schemas/json-faults.js'
import { ConfigError } from '../../errors/config-error.js'
import { makeFolder } from '../../ground/files.js'
import { familyAt, type Recording, type RecordingText, recording } from './recording.js'

/** A folder of recordings, numbered in their order. */
export class RecordingFolder {
  readonly #path: string
  #last: number

  constructor(path: string) {
    this.#path = path
    try {
      makeFolder(path)
      this.#last = recordingsIn(path).reduce((last, name) => Math.max(last, numberOf(name)), 0)
    } catch (error) {
      throw new ConfigError([`RECORD_DIR cannot be used: ${codeOf(error)}`])
    }
  }

  /** Writes the file atomically, and never overwrites another. */
  async add(content: RecordingText): Promise<void> {
    // A process id is not unique: in containers all have the same one.
    const temporary = join(this.#path, `.${randomUUID()}.tmp`)
    try {
      await writeFile(temporary, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
      await this.#linkAsNext(temporary, nameOf(content))
    } finally {
      await rm(temporary, { force: true })
    }
  }

  async #linkAsNext(temporary: string, name: string): Promise<void> {
    this.#last += 1
    try {
      await link(temporary, join(this.#path, `${String(this.#last).padStart(4, '0')}-${name}.json`))
    } catch (error) {
      // Another process records into this folder, too.
      if (codeOf(error) === 'EEXIST') return this.#linkAsNext(temporary, name)
      throw error
    }
  }
}

/** 0 for a name without a usable number. */
function numberOf(name: string): number {
  return Number(/^(\d{1,12})(?!\d)/.exec(name)?.[1] ?? 0)
}

export interface NamedRecording extends Recording {
  readonly file: string
}

/** All recordings of a folder, in their order; throws a ConfigError with every fault of every file. */
export function readRecordings(path: string): NamedRecording[] {
  const faults: string[] = []
  const read = filesOf(path).flatMap(file => {
    const found = recordingIn(path, file)
    if (!Array.isArray(found)) return [{ ...found, file }]
    faults.push(...found.map(fault => `RECORD_DIR ${file}: ${fault}`))
    return []
  })
  if (faults.length > 0) throw new ConfigError(faults)
  return read
}

function filesOf(path: string): string[] {
  let files: string[]
  try {
    files = recordingsIn(path)
  } catch (error) {
    throw new ConfigError([`RECORD_DIR cannot be read: ${codeOf(error)}`])
  }
  if (files.length === 0) throw new ConfigError(['RECORD_DIR has no recordings (*.json)'])
  return files
}

/** Faults never repeat a value: the file may contain a secret. */
function recordingIn(path: string, file: string): Recording | string[] {
  try {
    const stats = statSync(join(path, file))
    // Reading a pipe would block until another process writes.
    if (!stats.isFile()) return ['is not a file']
    if (stats.size > MAX_FILE) return [`is larger than ${MAX_FILE} bytes`]
    const parsed = recording.safeParse(JSON.parse(readFileSync(join(path, file), 'utf8')))
    return parsed.success
      ? parsed.data
      : jsonFaults(parsed.error).map(({ place, message }) => `${place} ${message}`.trim())
  } catch (error) {
    return [error instanceof SyntaxError ? 'is not JSON' : `cannot be read: ${codeOf(error)}`]
  }
}

/** The largest answer and the largest request, escaped as JSON. */
const MAX_FILE = 64 * 1024 * 1024

function recordingsIn(path: string): string[] {
  const byNumber = new Intl.Collator('en', { numeric: true })
  return readdirSync(path)
    .filter(name => /^[^.].*\.json$/.test(name))
    .sort(byNumber.compare)
}

/** Makes a listing of the folder readable. */
function nameOf({ request: { environment, path }, answer, failure }: RecordingText): string {
  const family = path === undefined ? '' : `-${familyAt(path).name}`
  return `${environment}${family}-${answer?.status ?? failure?.replaceAll(' ', '-')}`
}

function codeOf(error: unknown): string {
  const { code }: NodeJS.ErrnoException = error instanceof Error ? error : new Error()
  return code ?? 'unknown fault'
}
