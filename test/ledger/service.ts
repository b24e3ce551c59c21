import type { Test } from 'tap'
import { demoAccount } from '../../src/accounts/demo-account.js'
import { type RunningCommand, startCommand } from '../process.js'

export interface Customer {
  readonly id: number
  readonly authenticator: string
  readonly balance: number
}

/** The customer of a service that was given no accounts. */
export const demoCustomer: Customer = {
  id: demoAccount.id,
  authenticator: demoAccount.authenticators.test,
  balance: demoAccount.balance,
}

export function customerWith(id: number, balance: number): Customer {
  return { id, authenticator: `${id},${String(id).padStart(32, '0')}`, balance }
}

const ACCOUNTS_FILE = 'accounts.json'

/** Makes the test's folder, with an accounts file of these customers; answers the settings of a service with them. */
export function settingsFor(t: Test, customers: readonly Customer[]): Record<string, string> {
  const accounts = customers.map(({ id, authenticator, balance }) => ({
    id,
    authenticators: { test: authenticator },
    balance,
  }))
  t.testdir({ [ACCOUNTS_FILE]: JSON.stringify({ accounts }) })
  return { ACCOUNTS_FILE }
}

/** A service in a process of its own. */
export interface Service {
  readonly url: string
  readonly command: RunningCommand
}

/** Starts the service in the test's folder, which there must be. */
export async function startService(t: Test, settings: Record<string, string>): Promise<Service> {
  const command = startCommand(t, ['serve'], { PORT: '0', ...settings })
  const [url] = await command.printed(/http:\/\/127\.0\.0\.1:\d+/)
  return { url, command }
}

/** Stops it, and resolves when the process is gone and has let go of its database. */
export async function stop({ command }: Service, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  command.child.kill(signal)
  await command.ended
}
