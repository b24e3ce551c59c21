import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably } from '../ground/files.js'
import { Authority, type KeyPair, UnusableAuthority } from './authority.js'

/** Where a certificate and its private key are. */
export interface PairOfFiles {
  readonly cert: string
  readonly key: string
}

/** The authority's name for its own files. */
export const AUTHORITY = 'ca'

export class CertificateFolder {
  constructor(private readonly path: string) {}

  files(name: string): PairOfFiles {
    return { cert: join(this.path, `${name}.pem`), key: join(this.path, `${name}.key.pem`) }
  }

  /** Its files that exist, of the two. */
  existing(name: string): string[] {
    return Object.values(this.files(name)).filter(file => existsSync(file))
  }

  /** The authority of an earlier run, when there was one. */
  async authority(): Promise<Authority | undefined> {
    if (this.existing(AUTHORITY).length === 0) return undefined
    const { cert, key } = this.files(AUTHORITY)
    const missing = [cert, key].find(file => !existsSync(file))
    if (missing !== undefined) throw new UnusableAuthority(`${missing} is missing`)
    const pair = { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') }
    try {
      return await Authority.read(pair)
    } catch (error) {
      if (error instanceof UnusableAuthority) throw new UnusableAuthority(`${cert} and ${key}: ${error.message}`)
      throw error
    }
  }

  /** The first host that this certificate names, if it exists and has one. */
  async firstHost(name: string): Promise<string | undefined> {
    const { cert } = this.files(name)
    if (!existsSync(cert)) return undefined
    const text = await readFile(cert, 'utf8')
    try {
      return /(?:DNS|IP Address):([^,]+)/.exec(new X509Certificate(text).subjectAltName ?? '')?.[1]
    } catch {
      return undefined
    }
  }

  /** Writes the private key first, with mode 0600, so that no certificate is ever without its key. */
  async keep(name: string, pair: KeyPair, { replace }: { readonly replace: boolean }): Promise<PairOfFiles> {
    const files = this.files(name)
    // Not recursive: Node never returns where a file system reports ENOENT for new folders.
    if (!existsSync(this.path)) await mkdir(this.path, { mode: 0o700 })
    writeDurably({ path: files.key, text: pair.key, mode: 0o600, replace })
    writeDurably({ path: files.cert, text: pair.cert, mode: 0o644, replace })
    return files
  }
}
