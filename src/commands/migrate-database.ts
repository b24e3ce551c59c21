import { readConfig } from '../config/config.js'
import { environmentSettings } from '../config/environment-settings.js'
import { ConfigError } from '../errors/config-error.js'
import { NewerDatabase } from '../store/migrations.js'
import { DatabaseInUse } from '../store/sqlite/sqlite-engine.js'
import { openStore } from '../store/store.js'
import type { CommandContext } from './command-context.js'
import { NoAnswer } from './no-answer.js'

/** Brings the database to this version's tables. The exit code: 0 done, 1 not possible, 2 no answer. */
export async function migrateDatabase({ env, stdout, stderr }: CommandContext): Promise<number> {
  try {
    const store = await openStore(readConfig(environmentSettings(env)).DATABASE_URL)
    const lines = store.applied.map(name => `applied ${name}\n`)
    await store.close()
    stdout.write(lines.length > 0 ? lines.join('') : 'The database is up to date.\n')
    return 0
  } catch (error) {
    const isOurs = [ConfigError, DatabaseInUse, NewerDatabase].some(kind => error instanceof kind)
    const shown = isOurs && error instanceof Error ? error : new NoAnswer('the database', error)
    stderr.write(`${shown.message}\n`)
    return isOurs ? 1 : 2
  }
}
