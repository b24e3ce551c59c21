import { type Logger, pino } from 'pino'

export interface ProcessLog {
  readonly logger: Logger
  /** Writes out what is still held back, before the process ends. */
  flush(): void
}

const HELD_BACK = 65_536
const LONGEST_HELD_MS = 200

/** JSON lines on standard output: at once for a person who watches, gathered for a moment where a machine reads. */
export function processLog(level: string): ProcessLog {
  const held = process.stdout.isTTY
    ? {}
    : { sync: false, minLength: HELD_BACK, maxWrite: 2 * HELD_BACK, periodicFlush: LONGEST_HELD_MS }
  const destination = pino.destination({ fd: 1, ...held })
  return {
    logger: pino({ level, base: null, timestamp: pino.stdTimeFunctions.epochTime }, destination),
    flush: () => destination.flushSync(),
  }
}
