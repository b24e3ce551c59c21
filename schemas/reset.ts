import * as z from 'zod'
import { GREATEST_ID } from './accounts-file.js'

/** What a reset can leave as it is. */
export const KEPT = ['accounts', 'keys', 'contents', 'clock', 'faults', 'tokenKeys'] as const

export const resetOrder = z
  .strictObject({
    keep: z
      .array(z.enum(KEPT, `must be one of ${KEPT.join(', ')}`))
      .max(KEPT.length)
      .default([])
      .meta({ description: 'What stays as it is.' }),
    customer: z
      .int()
      .min(1)
      .max(GREATEST_ID)
      .optional()
      .meta({ description: 'Only what belongs to this account. Contents and token keys belong to none, and stay.' }),
  })
  // A reset without a body is one of everything.
  .prefault({})

export type ResetOrder = z.output<typeof resetOrder>
/** As a caller writes it. */
export type ResetInput = z.input<typeof resetOrder>
