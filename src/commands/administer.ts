import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { AccountAdministration, type Administration } from '../accounts/administration.js'
import { hasherOf } from '../accounts/authenticators.js'
import { type Config, readConfig } from '../config/config.js'
import { environmentSettings } from '../config/environment-settings.js'
import { ConfigError } from '../errors/config-error.js'
import { StatusError } from '../errors/public-error.js'
import { machineClock } from '../ground/clock.js'
import { pooledRandomness } from '../ground/randomness.js'
import { DatabaseInUse } from '../store/sqlite/sqlite-engine.js'
import { openStore, type Store } from '../store/store.js'
import { type CommandContext, localUrl } from './command-context.js'
import { NoAnswer } from './no-answer.js'
import { RemoteAdministration } from './remote-administration.js'

type Work = (administration: Administration) => Promise<string>

/**
 * Does the work and prints what it returns: on the database of these settings, or through a server where one is named
 * or has the database for itself. The exit code: 0 done, 1 refused, 2 no answer.
 */
export async function administer(
  server: string | undefined,
  { env, stdout, stderr }: CommandContext,
  work: Work,
): Promise<number> {
  try {
    stdout.write(`${await administered(server, env, work)}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof Error)) throw error
    stderr.write(`${error.message}\n`)
    return error instanceof StatusError || error instanceof ConfigError ? 1 : 2
  }
}

async function administered(server: string | undefined, env: NodeJS.ProcessEnv, work: Work): Promise<string> {
  const config = readConfig(environmentSettings(env))
  const remotely = (url: string) => work(new RemoteAdministration(url, config.ADMIN_TOKEN))
  if (server !== undefined) return remotely(server)
  // That database is in the server's memory.
  if (config.DATABASE_URL === 'memory:') return remotely(localUrl(env))
  await requireDatabase(config, localUrl(env))
  try {
    return await onDatabase(config, work)
  } catch (error) {
    if (error instanceof DatabaseInUse) return remotely(localUrl(env)).catch(withFirstError(error))
    throw error instanceof StatusError ? error : new NoAnswer('the database', error)
  }
}

/** In the wrong folder, a new empty database would be used instead of the intended one. */
async function requireDatabase({ DATABASE_URL: url }: Config, server: string): Promise<void> {
  const path = url.startsWith('sqlite:') ? resolve(url.slice('sqlite:'.length)) : undefined
  if (path === undefined || existsSync(path)) return
  const advice = (await isServing(server))
    ? `A server answers on ${server}: --url ${server} asks it.`
    : `DATABASE_URL or DATA_DIR names another, --url a server (${server} does not answer), and migrate makes a new one.`
  throw new NoAnswer('the database', `there is none at ${path}. ${advice}`)
}

const TIMEOUT_MS = 2000

function isServing(url: string): Promise<boolean> {
  return fetch(`${url}/healthz`, { signal: AbortSignal.timeout(TIMEOUT_MS) }).then(
    ({ ok }) => ok,
    () => false,
  )
}

/** If the server does not answer, the database's error is the more important one. */
function withFirstError(first: DatabaseInUse) {
  return (error: unknown): never => {
    throw error instanceof NoAnswer
      ? new Error(`${first.message}. ${error.message}. --url names another server.`)
      : error
  }
}

async function onDatabase(config: Config, work: Work): Promise<string> {
  const store = await openStore(config.DATABASE_URL)
  try {
    return await work(await administrationOf(store, config))
  } finally {
    await store.close()
  }
}

async function administrationOf(store: Store, config: Config): Promise<Administration> {
  const random = pooledRandomness()
  return new AccountAdministration({
    repository: store.accounts,
    hash: await hasherOf(store.accounts, random),
    now: machineClock().now,
    random,
    overlapSeconds: config.AUTHENTICATOR_OVERLAP,
    changed: () => {},
  })
}
