import type { z } from 'zod'
import {
  accountChange,
  accountPage,
  accountPath,
  balanceChange,
  createdAccount,
  newAccount,
  pageQuery,
  rotatedAuthenticator,
  rotation,
  shownAccount,
  shownBalance,
} from './admin.js'
import { jsonSchema } from './json-schema.js'
import { tooManyRequests } from './openapi-limits.js'

type Json = Record<string, unknown>

export const adminTag = { name: 'administration', description: 'Customers, their balances and authenticators.' }

export const adminSecurity = {
  adminToken: { type: 'http', scheme: 'bearer', description: 'The setting ADMIN_TOKEN.' },
}

export const adminSchemas = {
  Account: jsonSchema(shownAccount),
  AccountPage: jsonSchema(accountPage),
  NewAccount: jsonSchema(newAccount),
  CreatedAccount: jsonSchema(createdAccount),
  AccountChange: jsonSchema(accountChange),
  BalanceChange: jsonSchema(balanceChange),
  Balance: jsonSchema(shownBalance),
  Rotation: jsonSchema(rotation),
  RotatedAuthenticator: jsonSchema(rotatedAuthenticator),
} satisfies Record<string, Json>

type Name = keyof typeof adminSchemas

const REFUSALS = {
  400: 'A field is wrong; its name is in `parameter`.',
  401: 'The token is missing or wrong.',
  404: 'There is no such account, or no administration here.',
  409: 'It is taken already.',
  413: 'The body is too large.',
  415: 'The body is not JSON.',
} as const

/** The admin API's paths (docs/accounts.md). */
export const adminPaths: Json = {
  '/admin/api/accounts': {
    get: {
      ...operation('listAccounts', 'Accounts, in the order of their ids.'),
      parameters: parameters('query', pageQuery),
      responses: { 200: answer('The accounts.', 'AccountPage'), ...refusals(400) },
    },
    post: {
      ...operation('createAccount', 'A new account.'),
      requestBody: body('NewAccount'),
      responses: { 201: created('The account, with its authenticators.', 'CreatedAccount'), ...refusals(400, 409) },
    },
  },
  '/admin/api/accounts/{id}': {
    parameters: parameters('path', accountPath),
    get: {
      ...operation('showAccount', 'One account.'),
      responses: { 200: answer('The account.', 'Account'), ...refusals(400) },
    },
    patch: {
      ...operation('changeAccount', 'Change its name, its DRM options, its limits, or whether it is enabled.'),
      requestBody: body('AccountChange'),
      responses: { 200: answer('The account as it is now.', 'Account'), ...refusals(400) },
    },
  },
  '/admin/api/accounts/{id}/balance': {
    parameters: parameters('path', accountPath),
    post: {
      ...operation('changeBalance', 'Change how many tokens it may still get.'),
      requestBody: body('BalanceChange'),
      responses: { 200: answer('The new balance.', 'Balance'), ...refusals(400) },
    },
  },
  '/admin/api/accounts/{id}/authenticators': {
    parameters: parameters('path', accountPath),
    post: {
      ...operation('rotateAuthenticator', 'A new authenticator; those before it stay valid for a while.'),
      requestBody: body('Rotation'),
      responses: { 201: answer('The new authenticator.', 'RotatedAuthenticator'), ...refusals(400, 409) },
    },
  },
}

/** The token is optional, because an emulator on the same machine may not ask for it. */
function operation(operationId: string, summary: string): Json {
  return { operationId, tags: [adminTag.name], summary, security: [{ adminToken: [] }, {}] }
}

function parameters(place: 'query' | 'path', { shape }: z.ZodObject): Json[] {
  return Object.entries(shape).map(([name, schema]) => {
    const { description, ...rules } = jsonSchema(schema as z.ZodType, 'output') // a shape's values are schemas
    return { name, in: place, required: place === 'path', description, schema: rules }
  })
}

function body(name: Name): Json {
  return { required: true, content: content(name) }
}

function answer(description: string, name: Name | 'ErrorAnswer') {
  return { description, content: content(name) }
}

function created(description: string, name: Name): Json {
  const location = { schema: { type: 'string' }, description: 'Where it is found from now on.' }
  return { ...answer(description, name), headers: { location } }
}

function refusals(...statuses: readonly (keyof typeof REFUSALS)[]): Json {
  const refusal = (status: keyof typeof REFUSALS) => [status, answer(REFUSALS[status], 'ErrorAnswer')] as const
  const tooMany = tooManyRequests(content('ErrorAnswer'), 'Too many requests a minute from this address.')
  return { ...Object.fromEntries(([...statuses, 401, 404, 413, 415] as const).map(refusal)), 429: tooMany }
}

function content(name: Name | 'ErrorAnswer'): Json {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } }
}
