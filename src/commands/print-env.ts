import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pino } from 'pino'
import { writeTrustFiles } from '../certificates/trust-files.js'
import { readConfig } from '../config/config.js'
import { environmentSettings } from '../config/environment-settings.js'
import { ConfigError } from '../errors/config-error.js'
import { Closing } from '../ground/closing.js'
import type { Server } from '../server.js'
import { clientVariables, PROGRAMS, type Program, type Shell, shellText } from './client-variables.js'
import { addressedUrl, type CommandContext } from './command-context.js'
import { NoAnswer } from './no-answer.js'
import { CannotRun, runProgram } from './run-program.js'
import { clientConfig, serverAuthority } from './server-authority.js'

export interface EnvOptions {
  readonly for?: Program
  readonly shell: Shell
  readonly url?: string
}

/**
 * Prints the variables that point existing programs at a server, or runs a command with them: on an emulator of its own,
 * if no server is named. The exit code: that of the command, 0 without one, 2 when there was no answer.
 */
export async function printEnv(
  command: readonly string[],
  options: EnvOptions,
  context: CommandContext,
): Promise<number> {
  try {
    if (command.length > 0 && options.url === undefined) return await runOnOwnServer(command, options, context)
    const variables = await variablesOfServer(options, context)
    if (command.length > 0) return await runProgram(command, { ...context.env, ...variables })
    context.stdout.write(shellText(options.shell, variables))
    return 0
  } catch (error) {
    if (!(error instanceof NoAnswer || error instanceof CannotRun)) throw error
    context.stderr.write(`${error.message}\n`)
    return error instanceof CannotRun ? error.exitCode : 2
  }
}

async function variablesOfServer({ url, for: program }: EnvOptions, { env, stderr }: CommandContext) {
  const { PROXY_HOST, PROXY_PORT } = clientConfig(env)
  const { ca, folder } = await serverAuthority(url, env)
  const files = writeTrustFiles(resolve(folder ?? (await temporaryFolder())), ca, env.SSL_CERT_FILE)
  const hasProxy = PROXY_PORT !== undefined && PROXY_PORT !== 0
  if (!hasProxy) stderr.write(NO_PROXY)
  const host = url === undefined ? PROXY_HOST : new URL(url).hostname
  const proxyUrl = hasProxy ? addressedUrl(host, PROXY_PORT) : undefined
  return clientVariables(programsOf(program), { proxyUrl, files, env })
}

const NO_PROXY = 'PROXY_PORT names no port: without a proxy the names of the real service have to lead to the server.\n'

function programsOf(program: Program | undefined): readonly Program[] {
  return program === undefined ? PROGRAMS : [program]
}

async function runOnOwnServer(
  command: readonly string[],
  { for: program }: EnvOptions,
  { env, stderr }: CommandContext,
): Promise<number> {
  const closing = new Closing()
  try {
    const { ca = '', proxyUrl, ...server } = await ownServer(env, stderr)
    closing.add(() => server.close())
    const folder = await temporaryFolder()
    closing.add(() => rm(folder, { recursive: true, force: true }))
    const files = writeTrustFiles(folder, ca, env.SSL_CERT_FILE)
    const variables = clientVariables(programsOf(program), { proxyUrl, files, env })
    return await runProgram(command, { ...env, ...variables })
  } finally {
    await closing.close()
  }
}

/**
 * With the settings of the environment, except those that a program under test is likely to have for itself. Standard
 * output belongs to that program, so the log is on standard error, and has faults only.
 */
async function ownServer(env: NodeJS.ProcessEnv, stderr: CommandContext['stderr']): Promise<Server> {
  // Most of the start is loading this, and printing does not need it.
  const { serve } = await import('../server.js')
  const given = environmentSettings({ ...env }, warning => void stderr.write(`${warning}\n`))
  const others = Object.fromEntries(Object.entries(given).filter(([name]) => !OF_THE_PROGRAM.test(name)))
  if (others.MODE === 'gateway') throw new ConfigError([NO_GATEWAY])
  const config = readConfig({ ...others, PORT: 0, PROXY_PORT: 0, LOG_LEVEL: 'warn', DATA_DIR: given.DATA_DIR ?? '' })
  const logger = pino({ level: config.LOG_LEVEL, base: null }, pino.destination({ fd: 2, sync: true }))
  return serve({ config, logger })
}

const NO_GATEWAY =
  'MODE=gateway: env starts an emulator for the command, and no gateway. Set MODE=emulate for it, or name a running server with --url.'

const OF_THE_PROGRAM =
  /^(?:(?:PROXY_)?(?:HOST|PORT)|PUBLIC_URL|DATABASE_URL(?:_FILE)?|ENVIRONMENT|LOG_LEVEL|TLS(?:_\w+)?)$/

function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'expressplay-token-backend-'))
}
