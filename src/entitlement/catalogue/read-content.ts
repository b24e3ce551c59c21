import * as z from 'zod'
import { type Content, isIssues, readEntry, readOwnPolicy } from '../../../schemas/content-entry.js'
import { type JsonFault, jsonFaults } from '../../../schemas/json-faults.js'

/**
 * The content of one entry, or the array of its faults; `Array.isArray` distinguishes them. The entry comes from
 * `JSON.parse`: one of a catalogue's contents, with its own policies. Faults never repeat a value.
 *
 * Nothing here depends on the time. A rental that counts in `+seconds` is stored as `rentalSeconds`, and a moment in
 * the past is no fault, so an accepted entry can always be read again from its JSON text.
 *
 * The schema `contentEntry` reads the same `Content`, for callers that validate with schemas.
 */
export function contentOf(entry: unknown): Content | JsonFault[] {
  const read = readEntry(entry, readOwnPolicy)
  return isIssues(read) ? jsonFaults(new z.ZodError([...read])) : read
}
