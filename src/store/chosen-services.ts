import { type Expression, type SqlBool, sql } from 'kysely'

/** Whose rows are meant: those of these services, or of all others. */
export type ChosenServices = { readonly only: readonly number[] } | { readonly except: readonly number[] }

export const ALL_SERVICES: ChosenServices = { except: [] }

/** A condition on the rows of a table, or on the services themselves. */
export function isOf(services: ChosenServices, column: 'service_id' | 'id' = 'service_id'): Expression<SqlBool> {
  if ('only' in services) return sql`${sql.ref(column)} in (${sql.join(services.only)})`
  if (services.except.length === 0) return sql.lit(true)
  return sql`${sql.ref(column)} not in (${sql.join(services.except)})`
}
