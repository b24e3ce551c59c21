import type { TokenFamily } from '../drm/family.js'
import { documentedErrors } from '../errors/error-catalogue.js'
import { type Change, orders, pages, type Refusal, refusals, type Sample, samples } from './vectors.js'

/** Traits for which accounts in the error table are refused. */
export const TRAITS = ['production', 'disabled', 'no-drm', 'never-drm', 'no-balance', 'strict', 'unbound'] as const
export type Trait = (typeof TRAITS)[number]

/** `own` is the account that asks, `production` its authenticator of the environment that is not asked. */
export type Authenticators = Readonly<{ own: string } & Partial<Record<Trait, string>>>

/** The refusals of this family's requests that these accounts can meet, and those that need others. */
export function refusalsFor(
  { name }: TokenFamily,
  authenticators: Authenticators,
): {
  known: readonly Refusal[]
  missing: readonly Missing[]
} {
  const known: Refusal[] = []
  const missing: Missing[] = []
  for (const refusal of refusals) {
    if (refusal.for?.includes(name) === false) continue
    const trait = TRAITS.find(one => authenticators[one] === undefined && namesTrait(refusal.change, one))
    if (trait === undefined) known.push({ ...refusal, change: withAuthenticators(refusal.change, authenticators) })
    else missing.push({ title: refusal.title, trait })
  }
  return { known, missing }
}

/** A case that was not tried, and the account that it needs. */
export interface Missing {
  readonly title: string
  readonly trait: Trait
}

/** A request, and what must be true of its answer. */
export interface Case {
  readonly title: string
  readonly method: (typeof METHODS)[number]
  readonly change: Change
  readonly expected: ExpectedRefusal | ExpectedToken
}

/** The documented refusal with this code. */
export interface ExpectedRefusal extends Pick<Refusal, 'code' | 'parameter'> {
  /** Where JSON was not asked for. */
  readonly isPage?: true
}

export interface ExpectedToken extends Pick<Sample, 'ignored' | 'assumed' | 'scheme'> {
  readonly customerId: number
}

const METHODS = ['get', 'post'] as const

export function refusalCases(known: readonly Refusal[]): Case[] {
  return known.flatMap(({ title, change, code, parameter }) =>
    METHODS.map(method => ({
      title,
      method,
      change,
      expected: { code, ...(parameter !== undefined && { parameter }) },
    })),
  )
}

/** What is not about one fault alone: which of two comes first, and the form without errorFormat. */
export function furtherCases(known: readonly Refusal[]): Case[] {
  const byTitle = new Map(known.map(refusal => [refusal.title, refusal]))
  const together = orders.flatMap(titles => {
    const [one, other] = titles.map(title => byTitle.get(title))
    return one === undefined || other === undefined ? [] : bothOf(one, other)
  })
  const shown = pages.flatMap(title => {
    const { code, change } = byTitle.get(title) ?? {}
    if (code === undefined) return []
    const expected = { code, isPage: true } as const
    return METHODS.map(method => ({
      title: `${title}, as a page`,
      method,
      change: { ...change, errorFormat: null },
      expected,
    }))
  })
  return [...together, ...shown]
}

function bothOf(one: Refusal, other: Refusal): Case[] {
  const [{ code } = one] = [one, other].sort((a, b) => rankOf(a) - rankOf(b))
  const change = { ...one.change, ...other.change }
  return METHODS.map(method => ({ title: `${one.title} and ${other.title}`, method, change, expected: { code } }))
}

function rankOf({ code }: Refusal): number {
  return documentedErrors.get(code)?.rank ?? Number.POSITIVE_INFINITY
}

/** The tokens are of the customer that asks, or of that by whose name a gateway asks another service. */
export function sampleCases(
  { name }: TokenFamily,
  authenticators: Authenticators,
  customerId = Number(idOf(authenticators.own)),
): (Case & Pick<Sample, 'keys'>)[] {
  const ofFamily = samples.filter(one => one.for?.includes(name) !== false)
  return ofFamily.flatMap(({ title, change, keys, ignored, assumed, scheme }) => {
    const expected = {
      customerId,
      ...(ignored !== undefined && { ignored }),
      ...(assumed !== undefined && { assumed }),
      ...(scheme !== undefined && { scheme }),
    }
    return METHODS.map(method => ({ title, method, change, keys, expected }))
  })
}

function namesTrait(change: Change, trait: Trait): boolean {
  return [change.customerAuthenticator].flat().includes(`<${trait}>`)
}

function withAuthenticators(change: Change, authenticators: Authenticators): Change {
  const { customerAuthenticator: given } = change
  if (given === undefined || given === null) return change
  const filled = [given].flat().map(text => {
    const own = text.replace('<own>', authenticators.own).replace('<id>', idOf(authenticators.own))
    return TRAITS.reduce((filled, trait) => filled.replace(`<${trait}>`, authenticators[trait] ?? ''), own)
  })
  return { ...change, customerAuthenticator: typeof given === 'string' ? (filled[0] ?? '') : filled }
}

function idOf(authenticator: string): string {
  return authenticator.replace(/,.*$/s, '')
}
