import type { z } from 'zod'
import { jsonSchema } from './json-schema.js'
import { tooManyRequests } from './openapi-limits.js'

type Json = Record<string, unknown>

export const adminTag = {
  name: 'administration',
  description: 'Customers, their balances and authenticators, and the contents of the entitlement service.',
}

export const adminSecurity = {
  adminToken: { type: 'http', scheme: 'bearer', description: 'The setting ADMIN_TOKEN.' },
}

const REFUSALS = {
  400: 'A field is wrong; its name is in `parameter`.',
  401: 'The token is missing or wrong.',
  404: 'There is none with this id, or no administration here.',
  409: 'It is taken already.',
  413: 'The body is too large.',
  415: 'The body is not JSON.',
} as const

/** The token is optional, because an emulator on the same machine may not ask for it. */
export function operation(operationId: string, summary: string): Json {
  return { operationId, tags: [adminTag.name], summary, security: [{ adminToken: [] }, {}] }
}

export function parameters(place: 'query' | 'path', { shape }: z.ZodObject): Json[] {
  return Object.entries(shape).map(([name, schema]) => {
    const { description, ...rules } = jsonSchema(schema as z.ZodType, 'output') // a shape's values are schemas
    return { name, in: place, required: place === 'path', description, schema: rules }
  })
}

export function body(schema: string): Json {
  return { required: true, content: content(schema) }
}

export function answer(description: string, schema: string) {
  return { description, content: content(schema) }
}

export function created(description: string, schema: string): Json {
  const location = { schema: { type: 'string' }, description: 'Where it is found from now on.' }
  return { ...answer(description, schema), headers: { location } }
}

export function refusals(...statuses: readonly (keyof typeof REFUSALS)[]): Json {
  const refusal = (status: keyof typeof REFUSALS) => [status, answer(REFUSALS[status], 'ErrorAnswer')] as const
  const tooMany = tooManyRequests(content('ErrorAnswer'), 'Too many requests a minute from this address.')
  return { ...Object.fromEntries(([...statuses, 401, 404, 413, 415] as const).map(refusal)), 429: tooMany }
}

function content(schema: string): Json {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } }
}
