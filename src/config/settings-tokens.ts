import * as z from 'zod'
import { TOKEN_STYLES } from '../ground/account-choices.js'
import { fileOf, groupMeta, settingMeta } from './setting.js'
import { oneOf, tokenKeys, truth, wholeNumber } from './setting-rules.js'

export const tokensGroup = z
  .object({
    TOKEN_KEYS: tokenKeys.optional().register(settingMeta, {
      description:
        'The [keys](#token-keys) of tokens: the first seals, all open. `openssl rand -hex 32` makes one. Without it, the file `token.keys` in `DATA_DIR`.',
      example: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
      isSecret: true,
    }),
    TOKEN_KEYS_FILE: fileOf('TOKEN_KEYS'),
    TOKEN_STYLE: oneOf(TOKEN_STYLES).default('2021').register(settingMeta, {
      description:
        'The [outer form](differences.md#the-token) of new tokens, as the real service made them then: 171 characters or more in `2015`, 222 or more in `2021`. Tokens of both can always be redeemed.',
      example: '2015',
    }),
    IDEMPOTENCY_SECONDS: wholeNumber(0, 2_592_000).default(86_400).register(settingMeta, {
      description: 'Seconds that an [Idempotency-Key](idempotency.md) is remembered; 0: the header means nothing.',
      example: '3600',
    }),
    STRICT_PARAMETERS: truth.default(false).register(settingMeta, {
      description:
        'Whether a token request is refused if it omits a required parameter for which a default could be assumed. An [account](accounts.md) may say otherwise.',
      example: 'true',
    }),
    KEYSTORE_STYLE: oneOf(['skm', 'expressplay']).default('skm').register(settingMeta, {
      description:
        'How the [key storage](keystore.md#two-styles) writes its answers: as the open SKM specification does, or as the real service does.',
      example: 'expressplay',
    }),
  })
  .register(groupMeta, { title: 'Tokens and keys' })
