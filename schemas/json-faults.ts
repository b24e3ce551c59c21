import * as z from 'zod'
import { nearestName } from './nearest-name.js'

/** What is wrong in a JSON text and where, without repeating a value: it may be a secret. */
export interface JsonFault {
  /** `accounts[0].authenticators.test`; empty for the whole. */
  readonly place: string
  readonly message: string
  /** The place, or the first of the fields that should not be there. */
  readonly field: string
}

/** As many unknown names of one object are written out; of the others only the number. */
const MOST_NAMES = 20

/** With the schema, an unknown name that looks like one of its names gets a suggestion. */
export function jsonFaults(
  { issues }: { readonly issues: readonly z.core.$ZodIssue[] },
  schema?: z.core.$ZodType,
): JsonFault[] {
  return issues.map(issue => {
    const place = placeOf(issue.path)
    if (issue.code !== 'unrecognized_keys') return { place, message: issue.message, field: place }
    const message = `has unknown fields: ${listOf(issue.keys, namesAt(issue.path, schema))}`
    return { place, message, field: placeOf([...issue.path, ...issue.keys.slice(0, 1).map(plainName)]) }
  })
}

/** With the faults inside the form that a value has, where it may have several: an object is no text, but may be a wrong object. */
export function unfoldUnions({ issues }: z.ZodError): { readonly issues: readonly z.core.$ZodIssue[] } {
  return { issues: issues.flatMap(unfolded) }
}

function unfolded(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const meant = issue.errors.find(
    faults =>
      !faults.some(({ code, path }) => path.length === 0 && (code === 'invalid_type' || code === 'invalid_value')),
  )
  if (meant === undefined) return [issue]
  return meant.flatMap(fault => unfolded({ ...fault, path: [...issue.path, ...fault.path] }))
}

function listOf(names: readonly string[], known: readonly string[]): string {
  const first = names.slice(0, MOST_NAMES).map(name => {
    const meant = nearestName(name, known)
    return meant === undefined ? plainName(name) : `${plainName(name)} (did you mean ${meant}?)`
  })
  return names.length > MOST_NAMES ? `${first.join(', ')} and ${names.length - MOST_NAMES} more` : first.join(', ')
}

/** The names that a schema knows at a place; of several forms, those of all that are objects. */
function namesAt(path: readonly PropertyKey[], schema: z.core.$ZodType | undefined): readonly string[] {
  const [step, ...rest] = path
  const inner = schema && unwrapped(schema)
  if (inner instanceof z.ZodArray) return namesAt(rest, inner.element)
  if (inner instanceof z.ZodUnion) return inner.options.flatMap(form => namesAt(path, form))
  if (!(inner instanceof z.ZodObject)) return []
  return step === undefined ? Object.keys(inner.shape) : namesAt(rest, inner.shape[String(step)])
}

/** Without what may be left out, is filled in, or is made of it. */
function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodPipe) return unwrapped(schema.in)
  const isWrapper = [z.ZodOptional, z.ZodNullable, z.ZodDefault, z.ZodPrefault].some(kind => schema instanceof kind)
  return isWrapper ? unwrapped((schema as z.ZodOptional).unwrap()) : schema // each of them has it
}

function placeOf(path: readonly PropertyKey[]): string {
  return path
    .map(step => (typeof step === 'number' ? `[${step}]` : `.${shortName(String(step))}`))
    .join('')
    .replace(/^\./, '')
}

/** Names of ours, and those that an administrator gave: too short to be a key. */
function shortName(name: string): string {
  return /^[A-Za-z][\w.-]{0,29}$/.test(name) ? name : '…'
}

/** A name that is none of ours may be a value in the wrong place. */
function plainName(name: string): string {
  return /^[A-Za-z]{1,30}$/.test(name) ? name : '…'
}
