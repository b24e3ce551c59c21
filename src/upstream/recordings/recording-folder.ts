import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { link, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { jsonFaults } from '../../../schemas/json-faults.js'
import { ConfigError } from '../../errors/config-error.js'
import { makeFolder } from '../../ground/files.js'
import { type Recording, type RecordingText, recording } from './recording.js'

/** A folder to which recordings are added, numbered in their order. */
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

  /** The file is there whole or not at all, and takes the place of none. */
  async add(content: RecordingText): Promise<void> {
    // No process id: in containers all have the same one.
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
      // Another process records here, too.
      if (codeOf(error) === 'EEXIST') return this.#linkAsNext(temporary, name)
      throw error
    }
  }
}

/** 0 where it has none that counting could go on from. */
function numberOf(name: string): number {
  return Number(/^(\d{1,12})(?!\d)/.exec(name)?.[1] ?? 0)
}

export interface NamedRecording extends Recording {
  readonly file: string
}

/** All recordings of a folder, in their order; or a ConfigError with every fault of every file. */
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

/** What is wrong is told without a value: somebody may have put a secret there. */
function recordingIn(path: string, file: string): Recording | string[] {
  try {
    const stats = statSync(join(path, file))
    // To read a pipe would wait for somebody to write.
    if (!stats.isFile()) return ['is not a file']
    if (stats.size > LARGEST_FILE) return [`is larger than ${LARGEST_FILE} bytes`]
    const parsed = recording.safeParse(JSON.parse(readFileSync(join(path, file), 'utf8')))
    return parsed.success
      ? parsed.data
      : jsonFaults(parsed.error).map(({ place, message }) => `${place} ${message}`.trim())
  } catch (error) {
    return [error instanceof SyntaxError ? 'is not JSON' : `cannot be read: ${codeOf(error)}`]
  }
}

/** The largest answer and the largest request, as JSON escapes them. */
const LARGEST_FILE = 64 * 1024 * 1024

function recordingsIn(path: string): string[] {
  const byNumber = new Intl.Collator('en', { numeric: true })
  return readdirSync(path)
    .filter(name => /^[^.].*\.json$/.test(name))
    .sort(byNumber.compare)
}

/** So that a listing of the folder tells the story. */
function nameOf({ request, answer, failure }: RecordingText): string {
  return `${request.environment}-${answer?.status ?? failure?.replaceAll(' ', '-')}`
}

function codeOf(error: unknown): string {
  const { code }: NodeJS.ErrnoException = error instanceof Error ? error : new Error()
  return code ?? 'unknown fault'
}
