import type { Operation } from '../src/http/operation.js'

/** What the operations of the admin API have in common. The token is optional: an emulator on the same machine may not ask for it. */
export function administrative(
  operationId: string,
  summary: string,
  refuses: Readonly<Record<number, string>> = {},
): Omit<Operation, 'answers'> {
  return {
    operationId,
    tags: ['administration'],
    summary,
    security: [{ adminToken: [] }, {}],
    refuses: {
      400: 'A field is wrong; its name is in `parameter`.',
      401: 'The token is missing or wrong.',
      404: 'There is none with this id, or no administration here.',
      ...refuses,
    },
  }
}
