import type { Kysely } from 'kysely'
import type { Tables } from './tables.js'

/** A text that all instances on one database share; the first that asks for it makes it. */
export async function sharedSetting(db: Kysely<Tables>, name: string, make: () => string): Promise<string> {
  const find = () => db.selectFrom('settings').select('value').where('name', '=', name).executeTakeFirst()
  const found = await find()
  if (found !== undefined) return found.value
  await db
    .insertInto('settings')
    .values({ name, value: make() })
    .onConflict(conflict => conflict.column('name').doNothing())
    .execute()
  const { value } = (await find()) ?? {}
  if (value === undefined) throw new Error(`the database did not keep the setting "${name}"`)
  return value
}

/** Counts one up. Whoever does it in a transaction keeps all others who do waiting until its end. */
export async function countUp(db: Kysely<Tables>, name: string): Promise<void> {
  await db
    .insertInto('settings')
    .values({ name, value: '1' })
    .onConflict(conflict =>
      conflict.column('name').doUpdateSet(({ cast, eb, ref }) => ({
        value: cast(eb(cast<number>(ref('settings.value'), 'bigint'), '+', 1), 'text'),
      })),
    )
    .execute()
}
