import { errors } from 'undici'

/**
 * An upstream said `100 Continue`, which nobody asked it for. undici ends the connection then, and says nothing but this;
 * to a connection on which nothing is asked it says the same, but nobody hears of that.
 */
export function isUnaskedContinue(error: unknown): boolean {
  return error instanceof errors.SocketError && error.message === 'bad response'
}

/** What befell a connection, in a word: ECONNREFUSED, CERT_HAS_EXPIRED. Never the text, which may quote a secret. */
export function errorWord(error: unknown): string {
  const { code, name }: NodeJS.ErrnoException = error instanceof Error ? error : new Error('not an error')
  // Those of OpenSSL 3.5 may have a stroke: `ERR_SSL_SSL/TLS_ALERT_…`.
  return code !== undefined && /^[\w/]{1,64}$/.test(code) ? code : name
}
