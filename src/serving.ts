import closeWithGrace from 'close-with-grace'
import { banner, publicDemoAddresses, socketText } from './banner.js'
import type { CommandContext } from './commands/command-context.js'
import type { Config } from './config/config.js'
import { framesOf } from './errors/public-error.js'
import { type ProcessLog, processLog } from './logging.js'
import { type StartedServer, serve } from './server.js'

export interface ServingParts extends Pick<CommandContext, 'stderr'> {
  /** About the settings, for the log. */
  readonly warnings: readonly string[]
}

/** Listens, and drains on a stop signal. Resolves once it listens. */
export async function serveAsProcess(config: Config, { warnings, stderr }: ServingParts): Promise<void> {
  const log = processLog(config.LOG_LEVEL)
  for (const warning of warnings) log.logger.warn(warning)
  const server = await serve({ config, logger: log.logger, ownsProcess: true })
  // First: a supervisor that reads the address may stop the process at once.
  drainWhenTold(server, log, config.SHUTDOWN_TIMEOUT)
  stderr.write(banner(config, server))
  announce(config, server, log)
}

/** For machines, what the banner says to people: at every LOG_LEVEL, because a free port is known from here only. */
function announce(config: Config, server: StartedServer, { logger, notices }: ProcessLog): void {
  const { url, tlsUrl, proxyUrl, entitlementUrl } = server
  const addresses = [...server.addresses, ...server.tlsAddresses, ...server.entitlementAddresses].map(socketText)
  notices.info(
    { url, tlsUrl, proxyUrl, entitlementUrl, addresses, mode: config.MODE, environment: config.ENVIRONMENT },
    'listening',
  )
  const open = publicDemoAddresses(server)
  if (open.length > 0) logger.warn({ addresses: open }, 'the demo account is public, and other machines may reach it')
}

function drainWhenTold(server: StartedServer, log: ProcessLog, seconds: number): void {
  const { logger } = log
  const onTimeout = () => logger.error('stopping: what is in flight did not end within SHUTDOWN_TIMEOUT')
  closeWithGrace({ delay: seconds * 1000, logger: false, onTimeout, skip: ['SIGHUP'] }, async ({ err, signal }) => {
    if (err) logger.fatal({ error: err.name, stack: framesOf(err) }, 'stopping after an unforeseen error')
    else logger.info({ signal }, 'draining')
    try {
      await server.close()
      logger.info('stopped')
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error))
      logger.error({ error: failure.name, stack: framesOf(failure) }, 'stopped, but something could not be closed')
      throw failure
    } finally {
      await log.end()
    }
  })
}
