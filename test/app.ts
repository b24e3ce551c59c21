import { pino } from 'pino'
import { readAccounts } from '../src/accounts/seeds.js'
import { buildApp } from '../src/app.js'
import { readConfig, type Settings } from '../src/config.js'
import { pooledRandomness, randomBytes } from '../src/randomness.js'
import { buildServices } from '../src/services.js'
import { openStore } from '../src/store/store.js'
import { TokenVault } from '../src/tokens/vault.js'
import { accounts, NOON } from './harness.js'

/** The application without a socket, with everything in memory: for more requests than a socket carries in time. */
export async function appInMemory(settings: Settings = {}) {
  const random = pooledRandomness()
  return buildApp(
    await buildServices({
      config: readConfig(settings),
      store: await openStore('memory:'),
      accounts: readAccounts({ accounts }, 'the test'),
      vault: new TokenVault([randomBytes(random, 32)], random),
      logger: pino({ level: 'silent' }),
      now: () => NOON,
      random,
    }),
  )
}
