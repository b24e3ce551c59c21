import { readRefusal } from './refusal.js'

/** Asks for a token as a storefront does. By POST, because the request holds a key and an authenticator. */
export async function requestToken(text: string, base: URL): Promise<string> {
  const { url, body } = readTokenRequest(text, base)
  const response = await fetch(url, { method: 'POST', body, headers: { accept: 'application/json' } }).catch(() => {
    throw new Error(`No answer that this page may read from ${url.origin}`)
  })
  const answer = await response.text()
  if (!response.ok) throw new Error(readRefusal(response.status, answer))
  return readToken(answer)
}

/** Finds the token in what people have at hand: the token, a URL with it, or the answer to a token request. */
export function readToken(text: string): string {
  const found = /"token"\s*:\s*"([^"]+)"|[?&]ExpressPlayToken=([^&"\s]+)|^([\w-]+)$/.exec(text.trim())
  const [, inAnswer, inUrl, alone] = found ?? []
  const token = inAnswer ?? (inUrl === undefined ? alone : decodeURIComponent(inUrl))
  if (token !== undefined) return token
  throw new Error('There is no token in this')
}

interface TokenRequest {
  readonly url: URL
  readonly body: URLSearchParams
}

/** Parameters a line each, or a query string, or a whole URL, whatever stands around it. */
function readTokenRequest(text: string, base: URL): TokenRequest {
  const [pasted] = /https?:\/\/[^\s'"]+/.exec(text) ?? []
  const asked = pasted !== undefined && URL.canParse(pasted) ? new URL(pasted) : undefined
  if (asked?.pathname.endsWith('/token')) {
    const body = asked.searchParams
    return { url: new URL(asked.pathname, asked.origin), body }
  }
  const isQuery = !text.trim().includes('\n') && text.includes('&')
  if (isQuery) return { url: new URL('hms/pr/token', base), body: new URLSearchParams(text.trim().replace(/^\?/, '')) }
  const lines = text.split('\n').map(line => line.trim())
  const pairs = lines.filter(line => line !== '').map(line => line.split(/=(.*)/s, 2))
  const body = new URLSearchParams(pairs.map(([name = '', value = '']) => [name.trim(), value.trim()]))
  return { url: new URL('hms/pr/token', base), body }
}
