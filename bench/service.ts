import { readAccounts } from '../src/accounts/account-seeds.js'
import { readConfig } from '../src/config/config.js'
import { processLog } from '../src/logging.js'
import { serve } from '../src/server.js'
import type { ServiceOptions } from './processes.js'

/** The service as it runs in a process of its own, with given settings: the same log as in production. It tells the URL that is loaded. */
const { settings, accounts } = JSON.parse(process.argv[2] ?? '{}') as ServiceOptions // what startService passes
const config = readConfig({ PORT: 0, DATA_DIR: '', ...settings })
const server = await serve({
  config,
  accounts: accounts && readAccounts({ accounts }, 'the benchmark'),
  logger: processLog(config.LOG_LEVEL).logger,
  ownsProcess: true, // for the delay of the event loop
})
process.on('SIGTERM', () => void server.close())
process.send?.(server.entitlementUrl ?? server.url)
process.disconnect?.()
