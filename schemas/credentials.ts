import { z } from 'zod'
import { ParameterGroup } from './group.js'
import { parameter, rule } from './rules.js'

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

/** `errorFormat` is read by itself, before all others and from wherever it stands. */
export const errorFormat = parameter(z.enum(['html', 'json']).default('html'), {
  description: 'The form of an error answer.',
  example: 'json',
  'x-error-code': -3004,
})

export type ErrorFormat = z.output<typeof errorFormat>
