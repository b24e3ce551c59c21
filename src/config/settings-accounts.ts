import * as z from 'zod'
import { LONGEST_OVERLAP } from '../ground/environment.js'
import { fileOf, groupMeta, settingMeta } from './setting.js'
import { hostNames, jsonFile, sharedSecret, wholeNumber } from './setting-rules.js'

export const accountsGroup = z
  .object({
    ACCOUNTS_FILE: jsonFile.optional().register(settingMeta, {
      description:
        'The file with [accounts](#accounts-file) for a database that does not have them. Without it, an empty database gets the public demo account.',
      example: 'accounts.json',
    }),
    ADMIN_TOKEN: sharedSecret.optional().register(settingMeta, {
      description:
        'The credential of [the admin API](accounts.md#the-admin-api); `openssl rand -hex 32` makes one. Without it that API is off, except on this machine with `MODE=emulate` and `MODE=replay`.',
      example: 'an-admin-token-of-your-own',
      isSecret: true,
    }),
    ADMIN_TOKEN_FILE: fileOf('ADMIN_TOKEN'),
    ADMIN_HOSTS: hostNames.optional().register(settingMeta, {
      description:
        'Names of this machine beside `localhost` and its addresses, under which [browsers](#browsers) may use the service and its admin API.',
      example: 'drm.local',
    }),
    AUTHENTICATOR_OVERLAP: wholeNumber(0, LONGEST_OVERLAP).default(86_400).register(settingMeta, {
      description: 'Seconds that an authenticator stays valid after another has replaced it; 0 ends it at once.',
      example: '3600',
    }),
  })
  .register(groupMeta, { title: 'Accounts and administration' })
