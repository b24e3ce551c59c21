import { z } from 'zod'
import { groupMeta, settingMeta } from './setting.js'
import { wholeNumber } from './setting-rules.js'

const MOST_REQUESTS = 10_000_000

export const limitsGroup = z
  .object({
    RATE_LIMIT_PER_ADDRESS: wholeNumber(0, MOST_REQUESTS).default(0).register(settingMeta, {
      description: '[Requests a minute](limits.md) from one address; 0: any number.',
      example: '600',
    }),
    RATE_LIMIT_PER_ACCOUNT: wholeNumber(0, MOST_REQUESTS).default(0).register(settingMeta, {
      description:
        "Requests a minute with one account's authenticator, where the account has no limit of its own; 0: any number.",
      example: '6000',
    }),
    BODY_LIMIT: wholeNumber(1024, 16 * 1024 * 1024)
      .default(65_536)
      .register(settingMeta, {
        description: 'The largest request body in bytes; a larger one gets 413.',
        example: '1048576',
      }),
    REQUEST_TIMEOUT: wholeNumber(1, 600_000).default(30_000).register(settingMeta, {
      description: 'Milliseconds in which a request has to arrive, head and body; a slower one gets 408.',
      example: '10000',
    }),
    ANSWER_TIMEOUT: wholeNumber(1, 60_000).default(30_000).register(settingMeta, {
      description:
        'Milliseconds after which a connection is closed whose client reads nothing of an answer. It may take twice as long to notice.',
      example: '10000',
    }),
  })
  .register(groupMeta, { title: 'Limits' })
