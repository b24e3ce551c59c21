import * as z from 'zod'
import { type Fault, firstFault } from '../src/errors/error-catalogue.js'
import { TokenError } from '../src/errors/public-error.js'
import { ParameterGroup } from './group.js'
import { parameter, rule } from './rules.js'
import type { RawParameters } from './sorting.js'

/** A customer's id and 32 hexadecimal digits: an API key. */
export const AUTHENTICATOR = /^\d{1,10},[0-9A-Fa-f]{32}$/

/** The parameters that say who asks, and how errors shall look (spec: playready-token.md, token parameters). */
export const credentialParameters = {
  customerAuthenticator: parameter(
    z
      .string(rule(-2017))
      .min(1, rule(-2017))
      .regex(AUTHENTICATOR, rule(-2018, 'it must be a customer id, a comma and 32 hexadecimal digits')),
    {
      description: 'Your API key for this environment: `<customer id>,<32 hex digits>`.',
      example: '201722,1ad8eed133edf43cbcc185f0236828ae',
      'x-error-code': -2018,
    },
  ),
}

export const credentials = new ParameterGroup(credentialParameters)

/** The authenticator of a request that has only a query, or the documented error. */
export function credentialsOf({ customerAuthenticator: given }: RawParameters): string {
  const faults: Fault[] = []
  if (Array.isArray(given)) {
    const parameter = 'customerAuthenticator'
    throw new TokenError({ code: -2018, parameter, details: `${parameter} is given more than once` })
  }
  const read = credentials.read({ customerAuthenticator: given }, faults)
  const fault = firstFault(faults)
  if (fault !== undefined) throw new TokenError(fault)
  if (read === undefined) throw new Error('refused without a fault')
  return read.customerAuthenticator
}

/** `errorFormat` is read by itself, before all others and from wherever it stands. */
export const errorFormat = parameter(z.enum(['html', 'json']).default('html'), {
  description: 'The form of an error answer.',
  example: 'json',
  'x-error-code': -3004,
})

export type ErrorFormat = z.output<typeof errorFormat>
