import { execFileSync } from 'node:child_process'
import pg from 'pg'
import { parentOf, processMicroseconds } from './process-figures.js'

/** The processes of a PostgreSQL server on this machine. */
export class PostgresProcesses {
  readonly #client: pg.Client

  private constructor(client: pg.Client) {
    this.#client = client
  }

  static async of(url: string): Promise<PostgresProcesses> {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    return new PostgresProcesses(client)
  }

  /** Keeps them and those of later connections to these cores. */
  async pin(cores: string): Promise<void> {
    for (const pid of await this.#pids()) execFileSync('taskset', ['-acp', cores, String(pid)], { stdio: 'ignore' })
  }

  /** Processor time so far of those that run now. */
  async microseconds(): Promise<number> {
    return (await this.#pids()).reduce((sum, pid) => sum + processMicroseconds(pid), 0)
  }

  async end(): Promise<void> {
    await this.#client.end()
  }

  async #pids(): Promise<number[]> {
    const lasting =
      "SELECT pid FROM pg_stat_activity WHERE backend_type NOT IN ('autovacuum worker', 'parallel worker')"
    const { rows } = await this.#client.query<{ pid: number }>(lasting)
    const pids = rows.map(({ pid }) => pid)
    return [parentOf(pids[0] ?? 0), ...pids]
  }
}
