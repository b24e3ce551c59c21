import { setFlagsFromString } from 'node:v8'
import closeWithGrace from 'close-with-grace'
import { banner, publicDemoAddresses, socketText } from './banner.js'
import type { CommandContext } from './commands/command-context.js'
import { type Config, readConfig } from './config/config.js'
import type { Settings } from './config/setting-groups.js'
import { ConfigError } from './errors/config-error.js'
import { framesOf } from './errors/public-error.js'
import { type ProcessLog, processLog } from './logging.js'
import { type StartedServer, serve } from './server.js'

/** The process: reads the configuration, listens, and drains on a stop signal. The exit code of the start: 0 or 1. */
export async function main(
  settings: (warn: (warning: string) => void) => Settings,
  { stderr }: CommandContext,
): Promise<number> {
  survive()
  saveMemory()
  const warnings: string[] = []
  let config: Config | undefined
  let server: StartedServer
  let log: ProcessLog
  try {
    config = readConfig(settings(warning => warnings.push(warning)))
    log = processLog(config.LOG_LEVEL)
    for (const warning of warnings) log.logger.warn(warning)
    server = await serve({ config, logger: log.logger, ownsProcess: true })
  } catch (error) {
    stderr.write(startFailure(error, config, warnings))
    return 1
  }
  // First: a supervisor that reads the address may stop the process at once.
  drainWhenTold(server, log, config.SHUTDOWN_TIMEOUT)
  stderr.write(banner(config, server))
  announce(config, server, log)
  return 0
}

/** Neither a signal that means nothing to us nor an error output that is full or closed ends the process. */
function survive(): void {
  // Without a listener the first would end the process, and the second would let Node open its inspector.
  for (const signal of ['SIGHUP', 'SIGUSR1'] as const) process.off(signal, ignore).on(signal, ignore)
  process.stderr.off('error', ignore).on('error', ignore)
}

function ignore(): void {}

/**
 * V8 collects long-lived objects only when the heap has become several times as large as what is in use, and from Node 22
 * on its compiler Maglev takes tens of megabytes. Neither makes requests faster here.
 */
function saveMemory(): void {
  for (const flag of ['--heap-growing-percent=25', '--no-maglev']) setFlagsFromString(flag)
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

function startFailure(error: unknown, config: Config | undefined, warnings: readonly string[]): string {
  // A misspelled variable may be why another one is missing.
  if (error instanceof ConfigError)
    return `The configuration is wrong:\n${[...error.faults, ...warnings].map(line => `  ${line}\n`).join('')}`
  const { message, syscall = '', port }: ListenError = error instanceof Error ? error : new Error(String(error))
  const isEntitlement = port !== undefined && port === config?.entitlement?.port && port !== config.PORT
  const isTls = port !== undefined && port === config?.tls?.port && port !== config.PORT
  const variables = `with this HOST and ${isEntitlement ? 'ENTITLEMENT_PORT' : isTls ? 'TLS_PORT' : 'PORT'}: `
  return `Could not start: ${['listen', 'getaddrinfo'].includes(syscall) ? variables : ''}${message}\n`
}

interface ListenError extends NodeJS.ErrnoException {
  readonly port?: number
}
