import * as z from 'zod'
import { groupMeta, settingMeta } from './setting.js'
import { wholeNumber } from './setting-rules.js'

export const journalGroup = z
  .object({
    JOURNAL_SIZE: wholeNumber(0, 1_000_000).optional().register(settingMeta, {
      description:
        'How many requests [the journal](testing.md#the-journal) holds, in memory and at most 8 MB of them; 0: none. Without it 1000, and 0 with `MODE=gateway`.',
      example: '5000',
    }),
  })
  .register(groupMeta, { title: 'The journal' })

const USUAL_SIZE = 1000

/** A gateway has a journal only if somebody wants one. */
export function readJournalSize({ JOURNAL_SIZE }: z.output<typeof journalGroup>, isGateway: boolean): number {
  return JOURNAL_SIZE ?? (isGateway ? 0 : USUAL_SIZE)
}
