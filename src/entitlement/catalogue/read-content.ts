import { z } from 'zod'
import { type Content, contentEntry } from '../../../schemas/catalogue.js'
import { type JsonFault, jsonFaults } from '../../../schemas/json-faults.js'

const compiledEntry = z.compile(contentEntry)

/**
 * The content of one entry, or the array of its faults; `Array.isArray` distinguishes them. The entry comes from
 * `JSON.parse`: one of a catalogue's contents, with its own policy. Faults never repeat a value.
 *
 * Nothing here depends on the time. A rental that counts in `+seconds` is stored as `rentalSeconds`, and a moment in
 * the past is no fault, so an accepted entry can always be read again from its JSON text.
 *
 * The schema `contentEntry` reads the same `Content`, for callers that validate with schemas.
 */
export function contentOf(entry: unknown): Content | JsonFault[] {
  const read = compiledEntry.safeParse(entry)
  return read.success ? read.data : jsonFaults(read.error)
}
