import type { AccountInput } from '../schemas/accounts-file.js'
import { readAccounts } from './accounts/account-seeds.js'
import { readConfig } from './config/config.js'
import type { Settings } from './config/setting-groups.js'
import { notKnown } from './config/unknown-names.js'
import { ConfigError } from './errors/config-error.js'
import type { Logger } from './ground/logger.js'
import type { Randomness } from './ground/randomness.js'
import { type Server, serve } from './server.js'

export type { AccountInput } from '../schemas/accounts-file.js'
export type { ShownClock } from '../schemas/clock.js'
export type { FaultEffectInput, FaultInput, ShownFault } from '../schemas/faults.js'
export type { JournalledRequest, SearchedEvent } from '../schemas/journal.js'
export type { TokenPolicy } from '../schemas/policy.js'
export { demoAccount } from './accounts/demo-account.js'
export type { Settings } from './config/setting-groups.js'
export type { ServerClock } from './emulator/server-clock.js'
export type { EmulatorControls, InspectOptions } from './emulator/server-controls.js'
export { ConfigError } from './errors/config-error.js'
export type { ErrorCode } from './errors/error-catalogue.js'
export { TokenError } from './errors/public-error.js'
export { ExpectationError } from './journal/expectation-error.js'
export type {
  Events,
  Expectation,
  Match,
  Matches,
  PatternOf,
  Requests,
  StreamMessage,
  StreamOfServer,
  StreamTopic,
} from './journal/watchers.js'
export type { Server } from './server.js'
export type { ReadToken, TokenContent, TokenKey } from './tokens/token-content.js'

export interface ServerOptions {
  /** By the names of the environment variables: `{ ENVIRONMENT: 'production' }`. */
  readonly settings?: Settings
  /** Instead of an accounts file or the demo account. */
  readonly accounts?: readonly AccountInput[]
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number
  /** Counts milliseconds steadily: what limits of requests a minute go by. */
  readonly uptime?: () => number
  /** Where random bytes come from. */
  readonly random?: Randomness
  readonly logger?: Logger
  /** Listens with TLS as well: `tlsUrl`, whose clients have to trust `ca`. */
  readonly tls?: 'development'
  /** Listens as a proxy as well: `proxyUrl`. It answers for the real service's names, over TLS by `ca`. */
  readonly proxy?: boolean
}

/**
 * Starts the service inside this process. Without settings it takes a free port on 127.0.0.1, knows the demo account,
 * keeps everything in memory and logs nothing:
 *
 *     const server = await startServer()
 *     const answer = await fetch(`${server.url}/hms/pr/token?customerAuthenticator=…`)
 *     await server.close()
 */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  refuseUnknownOptions(options)
  const { settings, accounts, tls, proxy, ...parts } = options
  const secure = {
    ...(tls !== undefined && { TLS: tls, TLS_PORT: 0 }),
    ...(proxy === true && { PROXY_PORT: 0 }),
  }
  const config = readConfig({ PORT: 0, DATA_DIR: '', LOG_LEVEL: 'silent', ...secure, ...settings })
  return serve({ config, accounts: accounts && readAccounts({ accounts }, 'options.accounts'), ...parts })
}

const OPTIONS = Object.keys({
  settings: true,
  accounts: true,
  now: true,
  uptime: true,
  random: true,
  logger: true,
  tls: true,
  proxy: true,
} satisfies Record<keyof ServerOptions, true>)

/** TypeScript finds a misspelled option in a literal; JavaScript would silently ignore it. */
function refuseUnknownOptions(options: ServerOptions): void {
  const unknown = Object.keys(options).filter(name => !OPTIONS.includes(name))
  if (unknown.length > 0)
    throw new ConfigError(unknown.map(name => notKnown(name, 'an option of startServer', OPTIONS)))
}
