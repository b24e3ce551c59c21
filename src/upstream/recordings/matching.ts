import type { TokenFamily } from '../../drm/family.js'
import type { Environment } from '../../ground/environment.js'
import type { UpstreamRequest } from '../token-exchange.js'
import { withoutSecretValues } from './redaction.js'

/** The parts of a token request that are compared. */
export interface Compared {
  readonly environment: Environment
  readonly family: TokenFamily
  readonly parameters: UpstreamRequest['parameters']
  readonly secrets: readonly string[]
  /** When it was sent, in milliseconds since 1970. */
  readonly time: number
}

export function compared(request: UpstreamRequest, time: number): Compared {
  const { environment, family } = request
  return { environment, family, ...withoutSecretValues(request), time }
}

/** Milliseconds by which equal moments may differ: a test suite computes them again in each run, a little later. */
export const TOLERANCE = 5000

/** How far the moments of two matching requests are apart; `undefined` when the requests do not match. */
export function distance(one: Compared, other: Compared): number | undefined {
  if (differingNames(one, other).length > 0) return undefined
  const apart = namesOf(one, other).map(name => momentsApart(name, one, other) ?? 0)
  return apart.reduce((sum, milliseconds) => sum + milliseconds, 0)
}

/** Equal for all requests that differ only in absolute moments. */
export function fingerprint(one: Compared): string {
  const parameters = Object.entries(one.parameters)
    .sort(([name], [other]) => (name < other ? -1 : 1))
    .map(([name, value]) => (leadOf(name, one) === undefined ? [name, value] : [name]))
  return JSON.stringify([one.environment, one.family.name, parameters, [...one.secrets].sort()])
}

/** How the path of the token endpoint is called among the differences. No recorded parameter has a space in its name. */
export const TOKEN_PATH = 'token path'

/** The names of the differences between two requests. A secret differs only when one request lacks it. */
export function differingNames(one: Compared, other: Compared): string[] {
  const environment = one.environment === other.environment ? [] : ['environment']
  const path = one.family === other.family ? [] : [TOKEN_PATH]
  const parameters = namesOf(one, other).filter(name => {
    if (isSame(name, one, other)) return false
    const apart = momentsApart(name, one, other)
    return apart === undefined || apart > TOLERANCE
  })
  const secrets = [
    ...one.secrets.filter(name => !other.secrets.includes(name)),
    ...other.secrets.filter(name => !one.secrets.includes(name)),
  ]
  return [...environment, ...path, ...parameters, ...secrets]
}

/** Milliseconds from the request to a parameter's absolute moment; `undefined` for other parameters. */
export function leadOf(name: string, { parameters, time }: Compared): number | undefined {
  const text = parameters[name] ?? ''
  if (typeof text !== 'string' || !MOMENT.test(name) || !/^\d{4}-\d\d-\d\dT/.test(text)) return undefined
  const lead = Date.parse(text) - time
  return Number.isNaN(lead) ? undefined : lead
}

const MOMENT = /^(?:expirationTime|rental\.periodEndTime)(?:\.\d+)?$/

/** 0 for the same text: a suite may use a fixed moment. */
function momentsApart(name: string, one: Compared, other: Compared): number | undefined {
  if (isSame(name, one, other)) return 0
  const [ours, theirs] = [leadOf(name, one), leadOf(name, other)]
  return ours === undefined || theirs === undefined ? undefined : Math.abs(ours - theirs)
}

function isSame(name: string, one: Compared, other: Compared): boolean {
  return JSON.stringify(one.parameters[name]) === JSON.stringify(other.parameters[name])
}

function namesOf(one: Compared, other: Compared): string[] {
  return [...new Set([...Object.keys(one.parameters), ...Object.keys(other.parameters)])].sort()
}

/** A kek alone names a stored key. A gateway whose key storage has the key sends the content key instead. */
export function withStoredKeys(one: Compared): Compared {
  const secrets = one.secrets.map(name => {
    const [, suffix] = /^kek((?:\.\d+)?)$/.exec(name) ?? []
    return suffix === undefined || one.secrets.includes(`ek${suffix}`) ? name : `contentKey${suffix}`
  })
  return { ...one, secrets }
}
