import * as z from 'zod'
import { jsonMoment } from './rules.js'

/** What a clock can be set to. At the end there must be room for what is issued then, before RFC 3339 has no more years. */
export const EARLIEST = Date.UTC(2000, 0, 1)
export const LATEST = Date.UTC(9998, 11, 31, 23, 59, 59, 999)

export function isWithinReach(moment: number): boolean {
  return moment >= EARLIEST && moment <= LATEST
}

const LONGEST_ADVANCE = (LATEST - EARLIEST) / 1000

const SECONDS = `must be a number from -${LONGEST_ADVANCE} to ${LONGEST_ADVANCE}`

export const clockChange = z
  .strictObject({
    now: jsonMoment('What time it is from now on: RFC 3339 with `Z`, from the year 2000 to 9998.').optional(),
    frozen: z.boolean().optional().meta({ description: 'Whether it stands still. What is not given stays as it is.' }),
  })
  .refine(({ now, frozen }) => now !== undefined || frozen !== undefined, 'must have at least one of now and frozen')

export const clockAdvance = z.strictObject({
  seconds: z
    .number(SECONDS)
    .min(-LONGEST_ADVANCE, SECONDS)
    .max(LONGEST_ADVANCE, SECONDS)
    .meta({ description: 'By how much, to the millisecond; below 0, back.', examples: [86_400] }),
})

export const shownClock = z.object({
  now: z.string().meta({ format: 'date-time' }),
  offsetSeconds: z.number().meta({ description: "How far it is ahead of the machine's; below 0, behind it." }),
  frozen: z.boolean(),
  own: z.boolean().optional().meta({ description: 'Of an account: whether it is its own, or that of all others.' }),
})

export type ShownClock = z.output<typeof shownClock>
