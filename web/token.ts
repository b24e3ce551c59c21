import { readRefusal } from './refusal.js'

/** Asks for a token as a storefront does. By POST, because the request holds a key and an authenticator. */
export async function requestToken(text: string, endpoint: URL): Promise<string> {
  const { url, body } = { url: endpoint, ...readTokenRequest(text) }
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

/** Parameters a line each, or a query string, or those of a whole URL. */
export function readParameters(text: string): URLSearchParams {
  return readTokenRequest(text).body
}

interface TokenRequest {
  /** Where it goes, if the text says so. */
  readonly url?: URL
  readonly body: URLSearchParams
}

function readTokenRequest(text: string): TokenRequest {
  // Whatever stands around a URL.
  const [pasted] = /https?:\/\/[^\s'"]+/.exec(text) ?? []
  const asked = pasted !== undefined && URL.canParse(pasted) ? new URL(pasted) : undefined
  if (asked?.pathname.endsWith('/token'))
    return { url: new URL(asked.pathname, asked.origin), body: asked.searchParams }
  const isQuery = !text.trim().includes('\n') && text.includes('&')
  if (isQuery) return { body: new URLSearchParams(text.trim().replace(/^\?/, '')) }
  const lines = text.split('\n').map(line => line.trim())
  const pairs = lines.filter(line => line !== '').map(line => line.split(/=(.*)/s, 2))
  return { body: new URLSearchParams(pairs.map(([name = '', value = '']) => [name.trim(), value.trim()])) }
}
