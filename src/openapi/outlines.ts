import {
  accountChange,
  accountPage,
  addedAuthenticator,
  authenticatorAddition,
  balanceChange,
  createdAccount,
  newAccount,
  rotatedAuthenticator,
  rotation,
  shownAccount,
  shownBalance,
} from '../../schemas/admin.js'
import { errorAnswer, tokenAnswer } from '../../schemas/answers.js'
import { clockAdvance, clockChange, shownClock } from '../../schemas/clock.js'
import { contentPage, newContent, shownContent } from '../../schemas/contents.js'
import { entitlementAnswer, entitlementRequest } from '../../schemas/entitlement.js'
import { newFault, shownFault } from '../../schemas/faults.js'
import { journalledRequest, searchedEvent } from '../../schemas/journal.js'
import { keyChange, keyCount, keyObject, keystoreError, newKey } from '../../schemas/keystore.js'
import { clearKeyLicence, clearKeyRequest, standInLicence } from '../../schemas/licences.js'
import { eventPattern, requestPattern } from '../../schemas/patterns.js'
import { psshAnswer, psshRequest } from '../../schemas/pssh.js'
import { recordsAnswer } from '../../schemas/records.js'
import { packageVersion } from '../ground/own-package.js'
import type { Outline } from './document.js'

const version = packageVersion()
const license = { name: 'MIT', identifier: 'MIT' }

/** Of the application that players and storefronts ask. */
export const service: Outline = {
  info: {
    title: 'ExpressPlay token backend',
    version,
    summary: 'Licence tokens, compatible with ExpressPlay.',
    description:
      'Asks for a licence token: content key and policy in, licence URL and token out. All parameter names are case-sensitive.',
    license,
  },
  servers: [{ url: '/' }],
  tags: [
    { name: 'tokens', description: 'Licence tokens.' },
    {
      name: 'licences',
      description:
        "Players' key requests, with a token. Open to other origins. A gateway forwards them, and answers what the real service answers.",
    },
    { name: 'transaction log', description: 'What became of every token.' },
    {
      name: 'key storage',
      description: 'Content keys, stored wrapped: the open SKM API, which packagers and encoders speak.',
    },
    { name: 'tools', description: 'Help for those who package and play. No authentication.' },
    {
      name: 'administration',
      description: 'Customers, their balances and authenticators, and the contents of the entitlement service.',
    },
    { name: 'emulator', description: 'What testers need. A gateway answers 404 on most of it.' },
    { name: 'operations', description: 'Health and metrics.' },
  ],
  securitySchemes: { adminToken: { type: 'http', scheme: 'bearer', description: 'The setting ADMIN_TOKEN.' } },
  schemas: {
    TokenAnswer: tokenAnswer,
    ErrorAnswer: errorAnswer,
    ClearKeyRequest: clearKeyRequest,
    ClearKeyLicence: clearKeyLicence,
    StandInLicence: standInLicence,
    Events: recordsAnswer,
    Key: keyObject,
    NewKey: newKey,
    KeyChange: keyChange,
    KeyCount: keyCount,
    KeystoreError: keystoreError,
    PsshRequest: psshRequest,
    PsshAnswer: psshAnswer,
    Account: shownAccount,
    AccountPage: accountPage,
    NewAccount: newAccount,
    CreatedAccount: createdAccount,
    AccountChange: accountChange,
    BalanceChange: balanceChange,
    Balance: shownBalance,
    Rotation: rotation,
    RotatedAuthenticator: rotatedAuthenticator,
    NewAuthenticator: authenticatorAddition,
    AddedAuthenticator: addedAuthenticator,
    Content: shownContent,
    ContentPage: contentPage,
    NewContent: newContent,
    Clock: shownClock,
    ClockChange: clockChange,
    ClockAdvance: clockAdvance,
    Request: journalledRequest,
    RequestPattern: requestPattern,
    LoggedEvent: searchedEvent,
    EventPattern: eventPattern,
    NewFault: newFault,
    Fault: shownFault,
  },
}

/** Of the entitlement service, which has a port of its own. */
export const entitlementService: Outline = {
  info: {
    title: 'ExpressPlay token backend: entitlement service',
    version,
    summary: 'Whether a viewer may have a key (SEES).',
    description: 'Asked by licence servers and players, over mutual TLS.',
    license,
  },
  servers: [
    {
      url: 'https://{host}:{port}',
      description: 'The port ENTITLEMENT_PORT, with mutual TLS.',
      variables: { host: { default: 'localhost' }, port: { default: '8443' } },
    },
  ],
  tags: [{ name: 'entitlement', description: 'Whether a viewer may have a key.' }],
  securitySchemes: {
    clientCertificate: { type: 'mutualTLS', description: 'A certificate by the authority in ENTITLEMENT_CLIENT_CA.' },
  },
  schemas: { EntitlementRequest: entitlementRequest, EntitlementAnswer: entitlementAnswer },
}
