import { type IncomingHttpHeaders, request } from 'node:http'
import t from 'tap'
import { demoAccount, startServer } from '../../src/index.js'
import { startTestServer } from '../harness.js'

t.test('the page and all that it loads come from the server itself', async t => {
  const { url } = await startTestServer(t)
  const page = await fetch(`${url}/player`)
  t.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
  const policy = page.headers.get('content-security-policy') ?? ''
  t.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/)
  t.notMatch(policy, /unsafe/)
  const html = await page.text()
  t.notMatch(html, /https?:\/\/[^…]/, 'it names no other host')
  t.notMatch(html, /style="|<script>|onclick/, 'nothing that the policy would forbid')

  const loaded = [...html.matchAll(/(?:src|href|data-manifest)="([^"]+)"/g)].map(([, path = '']) => `/${path}`)
  t.ok(loaded.length > 4)
  for (const path of [...loaded, '/player/vendor/shaka-player.js', '/player/vendor/dash.js']) {
    const { status, headers } = await ask(url, path)
    t.match([status, headers['cache-control']], [200, 'public, max-age=0'], path)
    const again = await ask(url, path, { 'if-none-match': headers.etag })
    t.equal(again.status, 304, 'it is not sent twice')
  }
})

t.test('nothing else is behind that path', async t => {
  const { url } = await startTestServer(t)
  for (const path of [
    '/player/none',
    '/player/..%2f..%2fpackage.json',
    '/player/%2e%2e/src/app.js',
    '/player/../../.env',
  ])
    t.match(String((await ask(url, path)).status), /^40[034]$/, path)
  t.equal((await fetch(`${url}/player`, { method: 'POST' })).status, 405)
  t.match(await ask(url, '/player/'), { status: 302, headers: { location: '../player' } })
})

t.test('the form has a sample of each DRM; its authenticator only where it is public', async t => {
  const { url } = await startTestServer(t)
  const samples = async (of: string) =>
    (await (await fetch(`${of}/player/samples`)).json()) as Record<'tokenPath' | 'title', string>[] // and parameters
  const { test, production } = demoAccount.authenticators
  const parameters = { customerAuthenticator: test, kid: /^[\da-f]{32}$/ }
  t.match(await samples(url), [
    { title: 'PlayReady', tokenPath: 'hms/pr/token', parameters: { ...parameters, rightsType: 'BuyToOwn' } },
    { title: 'Widevine', tokenPath: 'hms/wv/token', parameters: { ...parameters, securityLevel: '1' } },
    { title: 'FairPlay', tokenPath: 'hms/fp/token', parameters: { ...parameters, iv: /^[\da-f]{32}$/ } },
    { title: 'Marlin MS3', tokenPath: 'hms/ms3/token', parameters },
    { title: 'Marlin Broadband', tokenPath: 'hms/bb/token', parameters },
  ])

  const inProduction = await startServer({ settings: { ENVIRONMENT: 'production' } })
  const others = [{ id: 7, authenticators: { test: '7,00000000000000000000000000000007' } }]
  const ofOthers = await startServer({ accounts: others })
  t.teardown(() => Promise.all([inProduction.close(), ofOthers.close()]))
  for (const sample of await samples(inProduction.url))
    t.match(sample, { parameters: { customerAuthenticator: production } })
  for (const sample of await samples(ofOthers.url)) t.match(sample, { parameters: { customerAuthenticator: '' } })
})

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
}

/** Exactly what is said here: fetch would put the path right and ask for no answer from a cache. */
function ask(url: string, path: string, headers: IncomingHttpHeaders = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const asking = request({ hostname, port, path, headers, agent: false }, response => {
      response.resume().on('end', () => resolve({ status: response.statusCode, headers: response.headers }))
    })
    asking.on('error', reject).end()
  })
}
