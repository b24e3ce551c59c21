import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PostgresServer, startPostgres } from '../test/postgres.js'

/** Databases for the benchmark, on a real disk, and gone after it. */
export class Databases {
  readonly #endings: (() => unknown)[] = []
  readonly #folder = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'bench-'))
  #server: Promise<PostgresServer> | undefined
  #files = 0

  sqlite(): string {
    this.#files += 1
    return `sqlite:${join(this.#folder, `${this.#files}.db`)}`
  }

  /** On the server of TEST_DATABASE_URL, or on one that is started for the benchmark. */
  async postgres(): Promise<string> {
    this.#server ??= startPostgres({ teardown: work => void this.#endings.push(work) })
    return (await this.#server).newDatabase()
  }

  async end(): Promise<void> {
    for (const work of this.#endings.reverse()) await work()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
