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
  const isWatched = Boolean(process.stdout.isTTY) // undefined for a pipe
  const output = pino.destination({ fd: 1, sync: isWatched })
  const lines = new GatheredLines(output, isWatched ? 0 : HELD_BACK)
  const flush = () => {
    lines.release()
    output.flushSync()
  }
  process.once('exit', flush)
  return { logger: pino({ level, base: null, timestamp: pino.stdTimeFunctions.epochTime }, lines), flush }
}

/** Hands lines on in large pieces: one by one they would cost the output more than they cost to make. */
class GatheredLines {
  readonly #output: { write(text: string): unknown }
  readonly #most: number
  #held = ''
  #timer: NodeJS.Timeout | undefined

  constructor(output: { write(text: string): unknown }, most: number) {
    this.#output = output
    this.#most = most
  }

  write(line: string): void {
    this.#held += line
    if (this.#held.length > this.#most) this.release()
    else this.#timer ??= setTimeout(() => this.release(), LONGEST_HELD_MS).unref()
  }

  release(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const held = this.#held
    this.#held = ''
    if (held !== '') this.#output.write(held)
  }
}
