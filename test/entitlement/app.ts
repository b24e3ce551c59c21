import { pino } from 'pino'
import type { Test } from 'tap'
import { readAccounts } from '../../src/accounts/seeds.js'
import { readConfig, type Settings } from '../../src/config.js'
import { buildEntitlementApp } from '../../src/entitlement-app.js'
import { pooledRandomness, randomBytes } from '../../src/randomness.js'
import { buildServices, type ServiceParts } from '../../src/services.js'
import { openStore } from '../../src/store/store.js'
import { TokenVault } from '../../src/tokens/vault.js'
import { accounts, NOON } from '../harness.js'
import { CUSTOMER } from '../redeeming.js'
import { entitlementSettings } from './service.js'

export interface EntitlementAppOptions extends Partial<ServiceParts> {
  readonly settings?: Settings
}

/** The entitlement service without a socket, with everything in memory. */
export async function entitlementAppInMemory(t: Test, { settings, ...parts }: EntitlementAppOptions = {}) {
  const random = pooledRandomness()
  const config = readConfig({ ...(await entitlementSettings(t)), ...settings })
  const store = await openStore('memory:')
  const log: string[] = []
  const services = await buildServices({
    config,
    store,
    accounts: readAccounts({ accounts }, 'the test'),
    vault: new TokenVault([randomBytes(random, 32)], random),
    logger: pino({ level: 'trace' }, { write: line => void log.push(line) }),
    now: () => NOON,
    random,
    ...parts,
  })
  if (config.entitlement === undefined) throw new Error('the settings have no entitlement service')
  const where = { customerId: CUSTOMER, licencePort: 8080 }
  const app = await buildEntitlementApp({ services, settings: config.entitlement, ...where })
  t.teardown(async () => {
    await app.close()
    await services.close()
    await store.close()
  })
  return { app, log, services }
}
