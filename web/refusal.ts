/** An answer that is no success, as one line: `[-4010] Invalid token: …`, or the status alone where it is not ours. */
export function readRefusal(status: number, answer: string): string {
  if (status === 0) return 'No answer that this page may read (network, CORS)'
  const { code, message } = parsed(answer)
  return code === undefined || message === undefined ? `HTTP status ${status}` : `${message} (HTTP status ${status})`
}

function parsed(answer: string): { code?: number; message?: string } {
  try {
    return Object(JSON.parse(answer)) // of any shape: only those two names are read
  } catch {
    return {}
  }
}
