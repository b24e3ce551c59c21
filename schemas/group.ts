import * as z from 'zod'
import type { ErrorCode, Fault } from '../src/errors/error-catalogue.js'
import { compiledOnUse } from './compiled.js'
import { faultsOf } from './rules.js'
import type { ParameterText } from './sorting.js'

/** Parameters as they came: names and texts. */
export type Texts = Readonly<Record<string, ParameterText | undefined>>

/** What one parameter demands of another. It looks at the texts, so it holds even where one of them is broken. */
export interface Relation {
  readonly parameter: string
  readonly code: ErrorCode
  readonly details?: string | undefined
  readonly isBroken: (texts: Texts) => boolean
}

/** Parameters that are read together: the rules of each, and the relations between them. */
export class ParameterGroup<Shape extends z.ZodRawShape> {
  readonly parameters: Shape
  readonly #schema: () => z.ZodObject<Shape>
  readonly #relations: readonly Relation[]

  constructor(shape: Shape, relations: readonly Relation[] = []) {
    this.parameters = shape
    this.#schema = compiledOnUse(() => z.object(shape))
    this.#relations = relations
  }

  /** The typed values, or `undefined` and what is wrong added to `faults`. `suffix` is `.N` for a numbered key. */
  read(texts: Texts, faults: Fault[], suffix = ''): z.output<z.ZodObject<Shape>> | undefined {
    const before = faults.length
    for (const { parameter, code, details, isBroken } of this.#relations)
      if (isBroken(texts)) faults.push({ code, parameter: `${parameter}${suffix}`, details })
    const parsed = this.#schema().safeParse(texts)
    if (!parsed.success) faults.push(...faultsOf(parsed.error, suffix))
    return faults.length === before ? parsed.data : undefined
  }
}

/** Not there at all, or there without a value. */
export function isMissing(text: ParameterText | undefined): boolean {
  return text === undefined || text === ''
}
