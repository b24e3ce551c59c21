/** A database or a server that could not be asked, or that failed to answer. */
export class NoAnswer extends Error {
  constructor(from: string, cause: unknown) {
    super(`No answer from ${from}: ${causeOf(cause)}`, { cause })
    this.name = 'NoAnswer'
  }
}

/** Why a fetch failed. For an invalid URL the message is replaced: it quotes the URL, which may hold a password. */
export function causeOfFetch(error: unknown): string {
  if (error instanceof Error && (error.cause !== undefined || error.name === 'TimeoutError')) return causeOf(error)
  return 'the URL is wrong'
}

/** The reason for a failed fetch is in its cause; where several addresses were tried, there is only a code. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.cause !== undefined) return causeOf(error.cause)
  const { message, code = error.name }: NodeJS.ErrnoException = error
  return message === '' ? code : message
}
