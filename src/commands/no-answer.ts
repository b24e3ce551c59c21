/** A database or a server that could not be asked, or that failed to answer. */
export class NoAnswer extends Error {
  constructor(from: string, cause: unknown) {
    super(`No answer from ${from}: ${causeOf(cause)}`, { cause })
    this.name = 'NoAnswer'
  }
}

/** Why a fetch has failed. What is wrong with a URL is not told: the message quotes it, and it may hold a password. */
export function causeOfFetch(error: unknown): string {
  if (error instanceof Error && (error.cause !== undefined || error.name === 'TimeoutError')) return causeOf(error)
  return 'the URL is wrong'
}

/** What a failed fetch says of itself is in its cause; and where several addresses were tried, only a code is left. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.cause !== undefined) return causeOf(error.cause)
  const { message, code = error.name }: NodeJS.ErrnoException = error
  return message === '' ? code : message
}
