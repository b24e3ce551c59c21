import type { CommandContext } from './commands/command-context.js'
import { type Config, readConfig } from './config/config.js'
import type { Settings } from './config/setting-groups.js'
import { ConfigError } from './errors/config-error.js'
import { startThreadFor } from './store/sqlite/early-thread.js'

/** The process: reads the configuration, listens, and drains on a stop signal. The exit code of the start: 0 or 1. */
export async function main(
  settings: (warn: (warning: string) => void) => Settings,
  { stderr }: CommandContext,
): Promise<number> {
  survive()
  const warnings: string[] = []
  let config: Config | undefined
  try {
    config = readConfig(settings(warning => warnings.push(warning)))
    startThreadFor(config.DATABASE_URL)
    const { serveAsProcess } = await import('./serving.js') // the largest part of the code, beside which the thread starts
    await serveAsProcess(config, { warnings, stderr })
    return 0
  } catch (error) {
    stderr.write(startFailure(error, config, warnings))
    return 1
  }
}

/** Neither a signal that means nothing to us nor an error output that is full or closed ends the process. */
function survive(): void {
  // Without a listener the first would end the process, and the second would let Node open its inspector.
  for (const signal of ['SIGHUP', 'SIGUSR1'] as const) process.off(signal, ignore).on(signal, ignore)
  process.stderr.off('error', ignore).on('error', ignore)
}

function ignore(): void {}

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
