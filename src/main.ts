import closeWithGrace from 'close-with-grace'
import { banner } from './banner.js'
import type { CommandContext } from './commands/context.js'
import { type Config, ConfigError, readConfig, type Settings } from './config.js'
import { framesOf } from './errors.js'
import { type ProcessLog, processLog } from './logging.js'
import { type Server, serve } from './server.js'

/** The process: reads the configuration, listens, and drains when it is told to stop. The exit code of the start: 0 or 1. */
export async function main(settings: () => Settings, { stdout, stderr }: CommandContext): Promise<number> {
  let config: Config | undefined
  let server: Server
  let log: ProcessLog
  try {
    config = readConfig(settings())
    log = processLog(config.LOG_LEVEL)
    server = await serve({ config, logger: log.logger })
  } catch (error) {
    stderr.write(startFailure(error, config))
    return 1
  }
  if (server.isDemo) stdout.write(banner(server.url))
  const { url, entitlementUrl } = server
  log.logger.info({ url, entitlementUrl, mode: config.MODE, environment: config.ENVIRONMENT }, 'listening')
  drainWhenTold(server, log, config.SHUTDOWN_TIMEOUT)
  return 0
}

function drainWhenTold(server: Server, { logger, flush }: ProcessLog, seconds: number): void {
  closeWithGrace({ delay: seconds * 1000, logger: false, onTimeout: flush }, async ({ err, signal }) => {
    if (err) logger.fatal({ error: err.name, stack: framesOf(err) }, 'stopping after an unforeseen error')
    else logger.info({ signal }, 'draining')
    await server.close()
    logger.info('stopped')
    flush()
  })
}

function startFailure(error: unknown, config: Config | undefined): string {
  if (error instanceof ConfigError)
    return `The configuration is wrong:\n${error.faults.map(fault => `  ${fault}`).join('\n')}\n`
  const { message, syscall = '', port }: ListenError = error instanceof Error ? error : new Error(String(error))
  const isEntitlement = port !== undefined && port === config?.entitlement?.port && port !== config.PORT
  const variables = `with this HOST and ${isEntitlement ? 'ENTITLEMENT_PORT' : 'PORT'}: `
  return `Could not start: ${['listen', 'getaddrinfo'].includes(syscall) ? variables : ''}${message}\n`
}

interface ListenError extends NodeJS.ErrnoException {
  readonly port?: number
}
