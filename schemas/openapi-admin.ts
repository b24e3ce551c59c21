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
import { answer, body, created, operation, parameters, refusals } from './openapi-admin-operation.js'

type Json = Record<string, unknown>

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
