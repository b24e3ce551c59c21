import * as z from 'zod'
import { groupMeta, settingMeta } from './setting.js'
import { truth } from './setting-rules.js'

export const emulatorGroup = z
  .object({
    EMULATE_HEADERS: truth.default(true).register(settingMeta, {
      description:
        'Whether a request may order [a fault for itself](testing.md#for-one-request), by the headers `x-emulate-…` or by its cookie. A gateway never takes such orders.',
      example: 'false',
    }),
  })
  .register(groupMeta, { title: 'The emulator' })
