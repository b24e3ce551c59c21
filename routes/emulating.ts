import type { Operation } from '../src/http/operation.js'
import { administrative } from './administrative.js'

/** What the operations for testers have in common: they are administration, with the same credential. */
export function emulating(
  operationId: string,
  summary: string,
  refuses: Readonly<Record<number, string>> = {},
): Omit<Operation, 'answers'> {
  return { ...administrative(operationId, summary, refuses), tags: ['emulator'] }
}

/** Of what runs while no request is being answered. */
export const UNDISTURBED = { 503: 'Requests are still being answered, and nothing was changed. Try again.' } as const
