import { isUtf8 } from 'node:buffer'
import type { Content } from '../../../schemas/content-entry.js'
import { ConfigError } from '../../errors/config-error.js'
import { framesOf } from '../../errors/public-error.js'
import type { Clock } from '../../ground/clock.js'
import { readLargeFile } from '../../ground/files.js'
import type { Logger } from '../../ground/logger.js'
import { type WatchedFiles, watchFiles } from '../../ground/watched-files.js'
import type { Contents } from '../content.js'
import { BrokenCatalogue } from './faults.js'
import { type Catalogue, readCatalogue } from './reading.js'

export interface CatalogueFileParts {
  readonly path: string
  readonly clock: Clock
  readonly logger: Logger
}

/** The contents of CATALOGUE_FILE. A changed file is read again; a broken one leaves the former contents in force. */
export class CatalogueFile implements Contents {
  readonly #parts: CatalogueFileParts
  readonly #watched: WatchedFiles
  #reading: Promise<void>
  #contents: ReadonlyMap<string, Content> = new Map()

  private constructor(parts: CatalogueFileParts) {
    this.#parts = parts
    // Watched before the first read: the file may change during it.
    this.#watched = watchFiles([parts.path], parts.clock, () => this.#readAgain())
    this.#reading = this.#read()
  }

  /** Throws a ConfigError that names every fault with its line and field. */
  static async open(parts: CatalogueFileParts): Promise<CatalogueFile> {
    const file = new CatalogueFile(parts)
    try {
      await file.#reading
      return file
    } catch (error) {
      file.close()
      if (!(error instanceof BrokenCatalogue)) throw error
      throw new ConfigError(error.faults.map(fault => `CATALOGUE_FILE: ${fault}`))
    }
  }

  find(contentID: string): Content | undefined {
    return this.#contents.get(contentID)
  }

  close(): void {
    this.#watched.close()
  }

  async #read(): Promise<void> {
    const { contents } = await readCatalogueFile(this.#parts.path)
    this.#contents = contents
    this.#parts.logger.info({ contents: contents.size }, 'catalogue read')
  }

  async #readAgain(): Promise<'done'> {
    await this.#reading.catch(() => {})
    const read = this.#read().catch(error => this.#logFault(error))
    this.#reading = read
    await read
    return 'done'
  }

  #logFault(error: unknown): void {
    const what = 'the catalogue is broken, and the contents are those of before'
    if (error instanceof BrokenCatalogue) this.#parts.logger.error({ faults: error.faults }, what)
    else this.#parts.logger.error({ stack: error instanceof Error ? framesOf(error) : [] }, what)
  }
}

/** Enough for millions of contents, and close to the longest string of Node. */
const MAX_CATALOGUE = 256 * 1024 * 1024

/** The catalogue in a file, or a BrokenCatalogue. */
export async function readCatalogueFile(path: string): Promise<Catalogue> {
  let bytes: Buffer
  try {
    bytes = await readLargeFile(path, MAX_CATALOGUE)
  } catch (error) {
    const { code = 'unknown error' }: NodeJS.ErrnoException = error instanceof Error ? error : new Error()
    throw new BrokenCatalogue([`cannot be read: ${code}`])
  }
  // `toString` would turn every invalid byte into the same character, and one viewer into another.
  if (!isUtf8(bytes)) throw new BrokenCatalogue([`line ${lineOfOther(bytes)}: is not UTF-8`])
  const text = bytes.toString()
  // Some editors write a byte order mark.
  return readCatalogue(text.startsWith('\ufeff') ? text.slice(1) : text)
}

const LINE_FEED = 0x0a

/** The first line that is not UTF-8. */
function lineOfOther(bytes: Buffer): number {
  let line = 1
  for (let start = 0; start < bytes.length; line++) {
    const end = bytes.indexOf(LINE_FEED, start)
    if (end === -1 || !isUtf8(bytes.subarray(start, end))) break
    start = end + 1
  }
  return line
}
