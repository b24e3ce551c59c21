import * as z from 'zod'

export const MOST_SNAPSHOTS = 100

const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'must have 1 to 64 letters, digits or ._-, and begin with a letter or digit',
  )
  .meta({ description: 'Its name.', examples: ['seeded'] })

export const newSnapshot = z.strictObject({ name })
export const snapshotPath = z.strictObject({ name })

export const shownSnapshot = z.object({
  name: z.string(),
  savedAt: z.string().meta({ format: 'date-time' }),
  restorable: z.boolean().meta({
    description: 'false: a version of the service with other tables has saved it. It can only be removed.',
  }),
})

export const snapshotList = z.object({
  snapshots: z.array(shownSnapshot).meta({ description: 'The oldest first.' }),
})

export type ShownSnapshot = z.output<typeof shownSnapshot>
