import { readFileSync } from 'node:fs'
import type { z } from 'zod'
import { type AccountInput, type AccountSeed, accountsFile } from '../../schemas/accounts-file.js'
import type { AccountAdministration } from './administration.js'

/** The account that is there when no accounts file is: public, so that every sample in the docs works when pasted. */
export const demoAccount = {
  id: 201722,
  name: 'demo',
  authenticators: {
    test: '201722,1ad8eed133edf43cbcc185f0236828ae',
    production: '201722,6d1f0c5e9b3f4826a1e7c0d95b64f213',
  },
  balance: 1_000_000_000,
} as const satisfies AccountInput

/** Adds the accounts that are not there yet; what is there has a life of its own and is not touched. */
export async function applySeeds(seeds: readonly AccountSeed[], administration: AccountAdministration): Promise<void> {
  for (const seed of seeds) await administration.add(seed)
}

export function readAccountsFile(path: string): AccountSeed[] {
  let content: unknown
  try {
    content = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    // The text of a JSON error quotes the file, and the file holds authenticators.
    throw new Error(`ACCOUNTS_FILE ${error instanceof SyntaxError ? 'is not JSON' : 'cannot be read'}`)
  }
  return readAccounts(content, 'ACCOUNTS_FILE')
}

/** Fills in the defaults, or says what is wrong and where, without repeating a value. */
export function readAccounts(content: unknown, source: string): AccountSeed[] {
  const parsed = accountsFile.safeParse(content)
  if (parsed.success) return parsed.data.accounts
  const faults = parsed.error.issues.map(issue => `  ${placeOf(issue.path)} ${textOf(issue)}`)
  throw new Error(`${source} is not an accounts file:\n${faults.join('\n')}`)
}

/** `accounts[0].authenticators.test`; a name that is none of ours may be a value in the wrong place. */
function placeOf(path: readonly PropertyKey[]): string {
  return path
    .map(step => (typeof step === 'number' ? `[${step}]` : `.${plainName(String(step))}`))
    .join('')
    .slice(1)
}

function textOf(issue: z.core.$ZodIssue): string {
  return issue.code === 'unrecognized_keys'
    ? `has unknown fields: ${issue.keys.map(plainName).join(', ')}`
    : issue.message
}

function plainName(name: string): string {
  return /^[A-Za-z]{1,30}$/.test(name) ? name : '…'
}
