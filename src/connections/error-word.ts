/** What befell a connection, in a word: ECONNREFUSED, CERT_HAS_EXPIRED. Never the text, which may quote a secret. */
export function errorWord(error: unknown): string {
  const { code, name }: NodeJS.ErrnoException = error instanceof Error ? error : new Error('not an error')
  // Those of OpenSSL 3.5 may have a stroke: `ERR_SSL_SSL/TLS_ALERT_…`.
  return code !== undefined && /^[\w/]{1,64}$/.test(code) ? code : name
}
