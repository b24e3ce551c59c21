import type * as z from 'zod'
import type { ErrorCode, Fault } from '../src/errors/error-catalogue.js'
import { nearestName } from './nearest-name.js'
import { metaOf } from './rules.js'

/** What HTTP delivered: a value, or several when the name came more than once. */
export type RawParameters = Readonly<Record<string, string | string[] | undefined>>

/** A parameter as it came. One that may be repeated is a list, also when it came once. */
export type ParameterText = string | readonly string[]

type Values = Record<string, ParameterText>
type Shape = Readonly<Record<string, z.ZodType>>

/** The parameters of one key: the bare ones, overlaid by those that carry its suffix (`.0`, `.1`, …). */
export interface KeyValues {
  readonly suffix: string
  readonly values: Values
}

export interface SortedParameters {
  /** Everything that is said once for the whole token. */
  readonly whole: Values
  readonly keys: readonly KeyValues[]
  /** What has an unknown name, in the order in which it came. */
  readonly ignored: ReadonlyMap<string, string>
  /** Those of the ignored names that a lenient service takes for a known one, which it may not be sent beside ours. */
  readonly variants: ReadonlySet<string>
  /** What is wrong with the names alone: given twice, gaps, bare and numbered mixed, a number without its kid. */
  readonly faults: readonly Fault[]
}

const MOST_KEYS = 16
const NUMBERED = /^(.+)\.(0|[1-9]\d{0,8})$/

/**
 * Sorts the flat parameters of a request into those of the token and those of each key, for one DRM's names.
 * `perKey` parameters may carry `.N`, `perToken` ones may not (spec: playready-token.md, several keys in one token).
 */
export class ParameterSorter {
  readonly #known: ReadonlyMap<string, KnownParameter>
  readonly #knownLetters: ReadonlySet<string>
  readonly #aliases: ReadonlyMap<string, string>
  readonly #numbering: Numbering

  constructor(perToken: Shape, perKey: Shape, { aliases = {}, ...numbering }: Numbering & Aliases) {
    this.#aliases = new Map([['deviceid', 'deviceId'], ...Object.entries(aliases)])
    this.#numbering = numbering
    this.#known = new Map([
      ...Object.entries(perToken).map(([name, schema]) => known(name, schema, false)),
      ...Object.entries(perKey).map(([name, schema]) => known(name, schema, true)),
    ])
    this.#knownLetters = new Set([...this.#known.keys()].map(lettersOf))
  }

  sort(query: RawParameters, body: RawParameters | undefined): SortedParameters {
    const whole: Values = {}
    const bare: Values = {}
    const numbered = new Map<number, Values>()
    const ignored = new Map<string, string>()
    const faults: Fault[] = []

    const place = (given: string, value: string | string[] | undefined) => {
      const name = this.#aliases.get(given) ?? given
      const parameter = this.#known.get(name)
      if (parameter !== undefined) {
        put(parameter.perKey ? bare : whole, name, value, parameter, given)
        return
      }
      const [, stem = '', number = ''] = NUMBERED.exec(given) ?? []
      const stemmed = this.#known.get(stem)
      if (stemmed?.perKey) {
        const values = ofNumber(Number(number))
        if (values === undefined) isOverfull = true
        else put(values, stem, value, stemmed, given)
      } else if (!ignored.has(given)) ignored.set(given, firstOf(value))
    }
    const put = (
      values: Values,
      name: string,
      value: string | string[] | undefined,
      { invalid, isRepeatable }: KnownParameter,
      given: string,
    ) => {
      const known = values[name]
      if (isRepeatable) {
        values[name] = [...listOf(known), ...listOf(value)]
        return
      }
      if (Array.isArray(value) || (known !== undefined && known !== value))
        faults.push({ code: invalid, parameter: given, details: `${given} is given more than once` })
      values[name] = known ?? firstOf(value)
    }
    const ofNumber = (number: number): Values | undefined => {
      const values = numbered.get(number)
      if (values !== undefined || numbered.size > MOST_KEYS) return values
      const added: Values = {}
      numbered.set(number, added)
      return added
    }
    let isOverfull = false

    for (const name in query) place(name, query[name])
    for (const name in body) place(name, body[name])
    if (isOverfull) faults.push(tooManyKeys())
    const variants = new Set([...ignored.keys()].filter(name => this.#isVariant(name)))
    return { whole, keys: keysOf(bare, numbered, faults, this.#numbering), ignored, variants, faults }
  }

  /** Whether it differs from a known name only by case, punctuation or something like an index: `ContentKey[]`, `kid.01`. */
  #isVariant(name: string): boolean {
    const beforeBracket = name.split(BRACKET_OR_NUL, 1)[0] ?? name
    const beforeDot = name.slice(0, name.lastIndexOf('.') + 1)
    return [name, beforeBracket, beforeDot].some(one => this.#knownLetters.has(lettersOf(one)))
  }

  /** The known name that an unknown one was probably meant to be. */
  suggestion(unknown: string): string | undefined {
    if (unknown.length > 40) return undefined
    const [, stem = unknown, number] = NUMBERED.exec(unknown) ?? []
    const best = nearestName(stem, [...this.#known.keys()])
    const canBeNumbered = best !== undefined && number !== undefined && this.#known.get(best)?.perKey
    return canBeNumbered ? `${best}.${number}` : best
  }
}

/** What follows is an index to some services, and to others no part of the name. */
const BRACKET_OR_NUL = /\[|%5b|\0|%00/i

function lettersOf(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^a-z]/g, '')
}

function firstOf(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? ''
}

function listOf(value: ParameterText | undefined): readonly string[] {
  return typeof value === 'string' ? [value] : (value ?? [])
}

interface KnownParameter {
  readonly perKey: boolean
  /** What it is answered with when it is given twice. */
  readonly invalid: ErrorCode
  readonly isRepeatable: boolean
}

function known(name: string, schema: z.ZodType, perKey: boolean) {
  const { 'x-error-code': invalid, 'x-repeatable': isRepeatable = false } = metaOf(schema)
  return [name, { perKey, invalid, isRepeatable }] as const
}

/** How a DRM's numbered keys are told apart. */
export interface Numbering {
  /** Of these parameters each numbered key has one. */
  readonly identifiers: readonly string[]
  /** Refuses a numbered parameter whose key has none of them. */
  readonly strayNumber: ErrorCode
}

interface Aliases {
  /** Other names of parameters, beside `deviceid`. */
  readonly aliases?: Readonly<Record<string, string>> | undefined
}

function keysOf(
  bare: Values,
  numbered: ReadonlyMap<number, Values>,
  faults: Fault[],
  { identifiers, strayNumber }: Numbering,
): KeyValues[] {
  if (numbered.size === 0) return [{ suffix: '', values: bare }]

  const numbers = [...numbered.keys()].sort((a, b) => a - b)
  const hasKid = (number: number) => identifiers.some(name => numbered.get(number)?.[name] !== undefined)
  const withKid = numbers.filter(hasKid)
  for (const number of numbers) {
    if (hasKid(number)) continue
    const [stem = ''] = Object.keys(numbered.get(number) ?? {})
    faults.push({
      code: strayNumber,
      parameter: `${stem}.${number}`,
      details: `${stem}.${number} has no kid.${number}`,
    })
  }
  if (withKid.length === 0) return [{ suffix: '', values: bare }]

  const refuse = (parameter: string, details: string) => faults.push({ code: -4022, parameter, details })
  for (const name of [...identifiers, 'contentKey'])
    if (bare[name] !== undefined) refuse(name, `${name} and kid.${withKid[0]} are both given`)
  const gap = withKid.findIndex((number, index) => number !== index)
  if (gap !== -1) refuse(`kid.${gap}`, `kid.${gap} is missing, but there is kid.${withKid[gap]}`)
  if (withKid.length > MOST_KEYS) faults.push(tooManyKeys())
  return withKid.slice(0, MOST_KEYS).map(number => ({
    suffix: `.${number}`,
    values: { ...bare, ...numbered.get(number) },
  }))
}

function tooManyKeys(): Fault {
  return { code: -4022, parameter: `kid.${MOST_KEYS}`, details: `at most ${MOST_KEYS} keys go into one token` }
}
