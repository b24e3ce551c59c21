import * as z from 'zod'
import { contentEntry } from './content-entry.js'
import { objectError } from './json-parameters.js'

const LONGEST_HOLD = 86_400
const HOLD = `must be a whole number from 0 to ${LONGEST_HOLD}`

/** What a customer's webhook answers. A field that is not known may be a rule, misspelled: it is refused. */
export const webhookAnswer = z
  .strictObject(
    {
      isAllowed: z.boolean('must be true or false').meta({ description: 'Whether the viewer may have a key.' }),
      reason: z
        .string('must be a text')
        .optional()
        .meta({ description: 'Why not: the viewer gets to read it, the first 200 characters of it.' }),
      content: contentEntry.optional().meta({ description: 'The content; without it the catalogue says what it is.' }),
      cacheSeconds: z.int(HOLD).min(0, HOLD).max(LONGEST_HOLD, HOLD).optional().meta({
        description: 'How many seconds the answer holds for the same question; without it ENTITLEMENT_WEBHOOK_CACHE.',
      }),
    },
    objectError,
  )
  .meta({ description: "The customer's decision." })
