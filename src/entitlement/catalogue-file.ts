import type { Logger } from 'pino'
import type { Now } from '../../schemas/rules.js'
import type { Content, Contents } from './content.js'

export interface CatalogueFileParts {
  readonly path: string
  readonly now: Now
  readonly logger: Logger
}

/** The contents of CATALOGUE_FILE, read again when it changes; what is wrong then leaves those that were there. */
export class CatalogueFile implements Contents {
  /** Throws an Error that names every fault with its line and field. */
  static async open(_parts: CatalogueFileParts): Promise<CatalogueFile> {
    return new CatalogueFile()
  }

  find(_contentID: string): Content | undefined {
    return undefined
  }

  close(): void {}
}
