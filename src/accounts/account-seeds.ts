import { readFileSync } from 'node:fs'
import { type AccountSeed, accountsFile } from '../../schemas/accounts-file.js'
import { jsonFaults, unfoldUnions } from '../../schemas/json-faults.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { JsonTextError, parseJson } from '../ground/json-text.js'
import type { Randomness } from '../ground/randomness.js'
import type { AccountRepository } from '../store/account-repository.js'
import type { AccountAdministration } from './administration.js'
import { hasherOf } from './authenticators.js'
import { demoAccount } from './demo-account.js'

/** Adds the accounts that are missing; existing ones are never changed. */
export async function applySeeds(seeds: readonly AccountSeed[], administration: AccountAdministration): Promise<void> {
  for (const seed of await administration.unknownOf(seeds)) await administration.add(seed)
}

/** The environments in which the public demo authenticator is valid, so that anyone can get tokens. */
export async function openDemo(repository: AccountRepository, random: Randomness): Promise<readonly Environment[]> {
  const found = await repository.find(demoAccount.id)
  if (found?.enabled !== true) return []
  const hash = await hasherOf(repository, random)
  return ENVIRONMENTS.filter(environment => {
    const open = hash(demoAccount.authenticators[environment]).toString('hex')
    return found.services[environment].authenticators.some(stored => stored.hash === open)
  })
}

export function readAccountsFile(path: string): AccountSeed[] {
  let content: unknown
  try {
    content = parseJson(readFileSync(path))
  } catch (error) {
    throw new Error(`ACCOUNTS_FILE ${error instanceof JsonTextError ? error.fault : 'cannot be read'}`)
  }
  return readAccounts(content, 'ACCOUNTS_FILE')
}

/** Fills in the defaults, or throws what is wrong and where, without repeating a value. */
export function readAccounts(content: unknown, source: string): AccountSeed[] {
  const parsed = accountsFile.safeParse(content)
  if (parsed.success) return parsed.data.accounts
  const faults = jsonFaults(unfoldUnions(parsed.error)).map(({ place, message }) => `  ${place} ${message}`)
  throw new Error(`${source} is not an accounts file:\n${faults.join('\n')}`)
}
