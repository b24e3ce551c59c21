/** Where log lines go: what the service needs of a pino logger. */
export interface Logger {
  readonly debug: Log
  readonly info: Log
  readonly warn: Log
  readonly error: Log
}

interface Log {
  (fields: object, message?: string): void
  (message: string): void
}
