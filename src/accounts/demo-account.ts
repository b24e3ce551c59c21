import type { AccountInput } from '../../schemas/accounts-file.js'

/** The account of a new database without an accounts file: public, so that every sample in the docs works when pasted. */
export const demoAccount = {
  id: 201722,
  name: 'demo',
  authenticators: {
    test: '201722,1ad8eed133edf43cbcc185f0236828ae',
    production: '201722,6d1f0c5e9b3f4826a1e7c0d95b64f213',
  },
  balance: 1_000_000_000,
} as const satisfies AccountInput
