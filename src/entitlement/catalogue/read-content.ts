import { z } from 'zod'
import { type Content, contentEntry } from '../../../schemas/catalogue.js'
import { type JsonFault, jsonFaults } from '../../../schemas/json-faults.js'

const compiledEntry = z.compile(contentEntry)

/**
 * The content that one entry describes, or every fault of it; `Array.isArray` tells which. The entry is a value as
 * `JSON.parse` gives it: one of a catalogue's contents, with a policy of its own. Faults never repeat a value.
 *
 * Nothing here depends on the time. A rental that counts in `+seconds` is kept as `rentalSeconds`, and a moment that
 * has passed is no fault, so an entry that was accepted once can always be read again from its JSON text.
 *
 * Where one value after another is checked by a schema, `contentEntry` itself reads the same `Content`.
 */
export function contentOf(entry: unknown): Content | JsonFault[] {
  const read = compiledEntry.safeParse(entry)
  return read.success ? read.data : jsonFaults(read.error)
}
