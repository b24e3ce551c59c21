import type Database from 'libsql'

export type Value = string | number | null

/** A prepared statement. Values reach the library here and nowhere else. */
export class Statement {
  readonly #statement: Database.Statement

  constructor(database: Database.Database, sql: string) {
    this.#statement = database.prepare(sql)
  }

  get isReader(): boolean {
    return this.#statement.reader
  }

  all(values: readonly Value[]): object[] {
    return this.#statement.all(checked(values)) as object[] // it makes objects of rows
  }

  /** Returns how many rows it changed. */
  run(values: readonly Value[] = []): number {
    return this.#statement.run(checked(values)).changes
  }
}

/**
 * The types promise this, but they say nothing about what came from another thread or a library: libsql ends the
 * process on a truth value, makes null of NaN, and reads a text up to its first NUL only.
 */
function checked(values: readonly Value[]): readonly Value[] {
  for (const value of values) if (!isValue(value)) throw new TypeError('a value is neither text without NUL nor number')
  return values
}

function isValue(value: unknown): value is Value {
  if (typeof value === 'string') return !value.includes('\0')
  return value === null || (typeof value === 'number' && Number.isFinite(value))
}
