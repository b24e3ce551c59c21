import { type Logger, pino } from 'pino'
import { LogOutput } from './log-output.js'

export interface ProcessLog {
  readonly logger: Logger
  /** The same, for what has to be known at every LOG_LEVEL but `silent`. */
  readonly notices: Logger
  /** Resolves when all lines are written, or when the output takes nothing more. */
  end(): Promise<void>
}

const STANDARD_OUTPUT = 1

/** JSON lines on standard output: at once for a person who watches, gathered for a moment where a machine reads. */
export function processLog(level: string): ProcessLog {
  // With this look at it, Node makes a pipe one that does not block; only then can a write be tried again.
  const isWatched = Boolean(process.stdout.isTTY) // undefined for a pipe
  const output = new LogOutput({
    file: STANDARD_OUTPUT,
    isWatched,
    recovered: dropped => notices.warn({ dropped }, 'the log could not be written for a while: lines were dropped'),
  })
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.epochTime }, output)
  const notices = level === 'silent' ? logger : logger.child({}, { level: 'info' })
  process.once('exit', () => output.endNow())
  return { logger, notices, end: () => output.end() }
}
