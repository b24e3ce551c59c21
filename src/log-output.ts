import { write, writeSync } from 'node:fs'

/** How long lines are gathered: one by one they would cost the system more than they cost to make. */
const GATHERED_CHARACTERS = 65_536
const GATHERED_MS = 200
/** About a second of log at full load. */
const MOST_WAITING_BYTES = 4 * 1024 * 1024
/** Between two attempts while the output takes nothing. */
const SHORTEST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 250
/** An output that takes nothing for so long holds up the end of the process no longer. */
const PATIENCE_MS = 500

export interface LogOutputParts {
  /** The number of an open file: 1 is standard output. */
  readonly file: number
  /** Whether a person watches: then each line is written at once. */
  readonly isWatched: boolean
  /** Called with the number of dropped lines when the output works again. */
  recovered(dropped: number): void
}

/**
 * Writes lines to a file, a terminal or a pipe that may be full, stalled or gone: it tries again until they are
 * written, and meanwhile keeps a bounded number of bytes. Lines beyond those are dropped and counted. Callers never wait.
 */
export class LogOutput {
  readonly #parts: LogOutputParts
  #gathered = ''
  #gathering: NodeJS.Timeout | undefined
  readonly #waiting: Buffer[] = []
  #waitingBytes = 0
  /** From the line that finds no room until all before it are written. */
  #isFull = false
  #dropped = 0
  /** Since when the system has been writing, or undefined. */
  #writingSince: number | undefined
  #pausing: NodeJS.Timeout | undefined
  #pauseMs = SHORTEST_PAUSE_MS
  #progressed: () => void = () => {}

  constructor(parts: LogOutputParts) {
    this.#parts = parts
  }

  write(line: string): void {
    if (this.#isFull) {
      this.#dropped += 1
      return
    }
    this.#gathered += line
    if (this.#parts.isWatched || this.#gathered.length > GATHERED_CHARACTERS) this.#release()
    else this.#gathering ??= setTimeout(() => this.#release(), GATHERED_MS).unref()
  }

  /** Resolves when all is written, or when the output takes nothing more. */
  async end(): Promise<void> {
    this.#release()
    while (this.#waitingBytes > 0) {
      const before = this.#waitingBytes
      await new Promise<void>(resolve => {
        const patience = setTimeout(resolve, PATIENCE_MS)
        this.#progressed = () => {
          clearTimeout(patience)
          resolve()
        }
      })
      if (this.#waitingBytes === before) return
    }
  }

  /** For the exit of the process, when nothing can be waited for. */
  endNow(): void {
    if (this.#writingSince === undefined) this.#writeNow()
    // Node would wait for the system's call for ever, and no handler of a signal runs any more.
    else if (performance.now() - this.#writingSince >= PATIENCE_MS) process.kill(process.pid, 'SIGKILL')
  }

  #release(): void {
    clearTimeout(this.#gathering)
    this.#gathering = undefined
    if (this.#gathered === '') return
    const bytes = Buffer.from(this.#gathered)
    this.#gathered = ''
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    this.#isFull = this.#waitingBytes > MOST_WAITING_BYTES
    this.#writeNext()
  }

  #writeNext(): void {
    const [bytes] = this.#waiting
    if (bytes === undefined || this.#writingSince !== undefined || this.#pausing !== undefined) return
    this.#writingSince = performance.now()
    write(this.#parts.file, bytes, (error, written) => {
      this.#writingSince = undefined
      if (error === null) this.#wrote(written)
      else this.#tryLater()
      this.#writeNext()
    })
  }

  #wrote(count: number): void {
    const [bytes] = this.#waiting
    if (bytes === undefined || bytes.length === count) this.#waiting.shift()
    else this.#waiting[0] = bytes.subarray(count)
    this.#waitingBytes -= count
    this.#pauseMs = SHORTEST_PAUSE_MS
    if (this.#isFull && this.#waitingBytes === 0) this.#recover()
    this.#progressed()
  }

  #recover(): void {
    const dropped = this.#dropped
    this.#dropped = 0
    this.#isFull = false
    if (dropped > 0) this.#parts.recovered(dropped)
  }

  /** A full pipe, a full disk, or a reader that is gone and may come back: none of them says when it works again. */
  #tryLater(): void {
    this.#pausing = setTimeout(() => {
      this.#pausing = undefined
      this.#writeNext()
    }, this.#pauseMs).unref()
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)
  }

  #writeNow(): void {
    this.#waiting.push(Buffer.from(this.#gathered))
    try {
      for (const bytes of this.#waiting) if (writeSync(this.#parts.file, bytes) < bytes.length) return
    } catch {
      // The process is ending and the output is broken: there is nowhere to report it.
    }
  }
}
