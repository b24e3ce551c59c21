import type { Environment } from '../../ground/environment.js'
import type { UpstreamRequest } from '../token-exchange.js'
import { withoutSecretValues } from './redaction.js'

/** A token request as far as it is compared with another. */
export interface Compared {
  readonly environment: Environment
  readonly parameters: UpstreamRequest['parameters']
  readonly secrets: readonly string[]
  /** When it was sent, in milliseconds since 1970. */
  readonly time: number
}

export function compared({ environment, parameters }: UpstreamRequest, time: number): Compared {
  return { environment, ...withoutSecretValues(parameters), time }
}

/** A test suite computes a moment and is a little later the next time; by so many milliseconds the same one may differ. */
export const TOLERANCE = 5000

/** How far the moments of two like requests are apart; `undefined` where they are not alike. */
export function distance(one: Compared, other: Compared): number | undefined {
  if (differingNames(one, other).length > 0) return undefined
  const apart = namesOf(one, other).map(name => momentsApart(name, one, other) ?? 0)
  return apart.reduce((sum, milliseconds) => sum + milliseconds, 0)
}

/** The same for all requests that differ in nothing but absolute moments. */
export function fingerprint(one: Compared): string {
  const parameters = Object.entries(one.parameters)
    .sort(([name], [other]) => (name < other ? -1 : 1))
    .map(([name, value]) => (leadOf(name, one) === undefined ? [name, value] : [name]))
  return JSON.stringify([one.environment, parameters, [...one.secrets].sort()])
}

/** The names of what differs between two requests: secrets differ only where one has them and the other has not. */
export function differingNames(one: Compared, other: Compared): string[] {
  const environment = one.environment === other.environment ? [] : ['environment']
  const parameters = namesOf(one, other).filter(name => {
    if (isSame(name, one, other)) return false
    const apart = momentsApart(name, one, other)
    return apart === undefined || apart > TOLERANCE
  })
  const secrets = [
    ...one.secrets.filter(name => !other.secrets.includes(name)),
    ...other.secrets.filter(name => !one.secrets.includes(name)),
  ]
  return [...environment, ...parameters, ...secrets]
}

/** How long after the request a parameter's absolute moment is, in milliseconds; `undefined` for all else. */
export function leadOf(name: string, { parameters, time }: Compared): number | undefined {
  const text = parameters[name] ?? ''
  if (typeof text !== 'string' || !MOMENT.test(name) || !/^\d{4}-\d\d-\d\dT/.test(text)) return undefined
  const lead = Date.parse(text) - time
  return Number.isNaN(lead) ? undefined : lead
}

const MOMENT = /^(?:expirationTime|rental\.periodEndTime)(?:\.\d+)?$/

/** 0 for the same text: a suite may name one moment for ever. */
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

/** A kek alone names a stored key: where the storage of a gateway had it, the content key was sent in its place. */
export function withStoredKeys(one: Compared): Compared {
  const secrets = one.secrets.map(name => {
    const [, suffix] = /^kek((?:\.\d+)?)$/.exec(name) ?? []
    return suffix === undefined || one.secrets.includes(`ek${suffix}`) ? name : `contentKey${suffix}`
  })
  return { ...one, secrets }
}
