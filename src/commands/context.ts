import type { Readable, Writable } from 'node:stream'

/** What a command has of its process: `process` itself, or what a test gives it. */
export interface CommandContext {
  readonly env: NodeJS.ProcessEnv
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
}
