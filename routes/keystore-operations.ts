import * as z from 'zod'
import { credentialParameters } from '../schemas/credentials.js'
import { kek, keyChange, keyCount, keyObject, newKey } from '../schemas/keystore.js'
import { JSON_TYPE } from '../src/http/answers.js'
import { type Body, created, json, type Operation, type Reads } from '../src/http/operation.js'

const CUSTOMER = '201722,1ad8eed133edf43cbcc185f0236828ae'
const KID = '^channel-1.2026-06-01'
const KEK = '000102030405060708090a0b0c0d0e0f'
const query = { ...credentialParameters, kek: kek.optional() }
const FORM = 'Each has 32 hex digits, or is `^` and a string without a comma.'
const oneKid = { kid: z.string().meta({ description: `A KID. ${FORM}` }) }
const someKids = { kids: z.string().meta({ description: `KIDs, separated by commas. ${FORM}` }) }
const sample = { parameters: { customerAuthenticator: CUSTOMER, kek: KEK, kid: KID, kids: KID } }

const REFUSALS = {
  400: 'Code 2, a parameter is wrong; 3, the body is no JSON object; 5, the KEK does not open the key.',
  401: 'Code -2017, no authenticator; -2018, a wrong one; -2031, the account is disabled.',
  404: 'Code 2, there is no such key.',
  413: 'Code 3, the body is too large.',
  415: 'Code 3, the body is not JSON.',
  503: 'Code 1, the key storage is unavailable.',
} as const

function operation(
  operationId: string,
  summary: string,
  statuses: readonly (keyof typeof REFUSALS)[],
  reads: Reads = { query },
): Omit<Operation, 'answers'> {
  const refuses = Object.fromEntries(([...statuses, 401, 503] as const).map(status => [status, REFUSALS[status]]))
  return { operationId, tags: ['key storage'], summary, reads, refuses, sample }
}

function optionalBody(schema: z.ZodType): Body {
  return { required: false, content: { [JSON_TYPE]: { schema } } }
}

const done = { description: 'Done; the answer has no body.' }

export const LIST: Operation = {
  ...operation('listKeys', 'All keys, in the order of their kids.', [400]),
  answers: { 200: json('With a KEK, each key that it opens in clear.', z.array(keyObject)) },
}

export const CREATE: Operation = {
  ...operation('createKey', 'A new key, or the one that has its kid.', [400, 413, 415], {
    query,
    body: optionalBody(newKey),
  }),
  sample: { ...sample, body: { kid: KID, info: 'channel 1' } },
  answers: {
    200: json('The key that is there already; the rest of the body is ignored.', keyObject),
    201: created('The new key.', keyObject),
  },
}

export const READ: Operation = {
  ...operation('readKeys', 'One key, or several.', [400, 404], { query, path: someKids }),
  answers: {
    200: json(
      'One key as an object, several as an array in the order asked.',
      z.union([keyObject, z.array(keyObject)]),
    ),
  },
}

export const CHANGE: Operation = {
  ...operation('changeKey', 'Change some fields of a key.', [400, 404, 413, 415], {
    query,
    path: oneKid,
    body: optionalBody(keyChange),
  }),
  sample: { ...sample, body: { info: 'channel 1, since June' } },
  answers: { 200: done },
}

export const REMOVE: Operation = {
  ...operation('removeKey', 'Remove a key.', [400, 404], { query, path: oneKid }),
  answers: { 200: done },
}

export const READ_VALUES: Operation = {
  ...operation('readKeyValues', 'The bare value of a key, or of several.', [400, 404], { query, path: someKids }),
  answers: {
    200: {
      description: 'Each key in hex with a KEK, `#` and the wrapped key without; several are separated by commas.',
      content: { 'text/plain': { schema: 'text' } },
    },
  },
}

export const COUNT: Operation = {
  ...operation('countKeys', 'How many keys are stored.', [], { query: credentialParameters }),
  answers: { 200: json('The number.', keyCount) },
}
