import * as z from 'zod'

/** Makes and compiles a schema when it is first used: both take long, and a process seldom needs every schema. */
export function compiledOnUse<Schema extends z.ZodType>(make: () => Schema): () => Schema {
  let compiled: Schema | undefined
  return () => {
    compiled ??= z.compile(make())
    return compiled
  }
}
