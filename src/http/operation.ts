import type * as z from 'zod'
import type { ErrorCode } from '../errors/error-catalogue.js'
import { JSON_TYPE } from './answers.js'

type Shape = Readonly<Record<string, z.ZodType>>

/** What the OpenAPI document says of a route, beside what its schema validates. Only the build reads it. */
export interface Operation {
  /** Where a route has several methods, the name without them. */
  readonly operationId: string
  readonly tags: readonly [string]
  readonly summary: string
  readonly description?: string
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[]
  /** What the handler reads by itself. Made only when it is asked for, where that costs something. */
  readonly reads?: Reads | (() => Reads)
  readonly sample?: Sample | (() => Sample)
  readonly answers: Readonly<Record<number, Answer>>
  /** By their statuses. The form of their bodies is that of the route; 429 and what HTTP refuses need not be said. */
  readonly refuses?: Refuses
}

export type Refuses = Readonly<Record<number, string | DocumentedRefusals>>

export interface Reads {
  readonly path?: Shape
  readonly query?: Shape
  readonly headers?: Shape
  /** Whether every query parameter of a key may also carry its number: `kid.0`. */
  readonly hasNumbered?: boolean
  /** The query parameters that must be there; without it, all that are not optional. */
  readonly required?: readonly string[]
  readonly body?: Body
}

export interface Body {
  readonly required: boolean
  readonly description?: string
  readonly content: Readonly<Record<string, Content>>
}

/** Values that belong together and make a request that works. */
export interface Sample {
  readonly parameters?: Readonly<Record<string, string | number>>
  readonly body?: unknown
}

export interface Content {
  /** JSON Schema where no rule of ours reads it. */
  readonly schema: z.ZodType | 'text' | 'bytes'
  readonly example?: unknown
}

export interface Answer {
  readonly description: string
  /** Their descriptions by their names. */
  readonly headers?: Readonly<Record<string, string>>
  readonly content?: Readonly<Record<string, Content>>
}

export interface DocumentedRefusals {
  readonly description: string
  /** Those of the catalogue that are meant, or all that have this status. */
  readonly codes: readonly ErrorCode[] | 'all of this status'
}

declare module 'fastify' {
  interface FastifySchema extends Partial<Operation> {
    /** For pages and files, which are no part of the document. */
    readonly hide?: boolean
  }
}

/** An answer in JSON. */
export function json(description: string, schema: z.ZodType, example?: unknown): Answer {
  return { description, content: { [JSON_TYPE]: { schema, ...(example !== undefined && { example }) } } }
}

/** A new thing, and where it is. */
export function created(description: string, schema: z.ZodType): Answer {
  return { ...json(description, schema), headers: { location: 'Where it is found from now on.' } }
}

/** Every documented error with this status. */
export function documented(description: string): DocumentedRefusals {
  return { description, codes: 'all of this status' }
}
