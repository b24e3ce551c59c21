import { writeFileSync } from 'node:fs'
import { Kysely, sql } from 'kysely'
import { builtFile } from '../../ground/own-package.js'
import { migrate } from '../migrations.js'
import type { Tables } from '../tables.js'
import { sqliteEngine, TABLES } from './sqlite-engine.js'

/**
 * A step of the build. It migrates an empty database and writes the outcome as one script, because migrating took a
 * tenth of every start in memory.
 */
const { migrationDialect, clustered, close } = await sqliteEngine(':memory:')
const db = new Kysely<Tables>({ dialect: migrationDialect })
await migrate(db, clustered)
const made = await sql<{ sql: string }>`select sql from sqlite_master where sql is not null order by rowid`.execute(db)
const migrations = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db)
await close()

const NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
const statements = [
  'begin immediate',
  ...made.rows.map(({ sql }) => sql),
  "insert into kysely_migration_lock values ('migration_lock', 0)",
  ...migrations.rows.map(({ name }) => `insert into kysely_migration values ('${name}', ${NOW})`),
  'commit',
]
writeFileSync(builtFile(TABLES), statements.map(statement => `${statement};\n`).join(''))
