import { request } from 'node:http'
import t, { type Test } from 'tap'
import { Agent, request as requestWith } from 'undici'
import { type Settings, startServer } from '../../src/index.js'
import { askerOf, CATALOGUE, clientTls, entitlementSettings, MESSAGE } from '../entitlement/service.js'
import { form, startTestServer } from '../harness.js'
import { clearKeyBody, KID, startLicenceServer } from '../redeeming.js'

const AUTHENTICATOR = form().get('customerAuthenticator') ?? ''
const STOREFRONT = 'https://storefront.example'

/** What a browser says with a request of a page of another site. */
const OTHER_SITES: Record<string, Record<string, string>> = {
  'a form of another site': { origin: 'https://evil.example' },
  'a page that hides its site': { origin: 'null' },
  'another port of this machine': { origin: 'http://127.0.0.1:1' },
  'an image of another site': { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
  'a link of another site': { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
  'another page of the same site': { 'sec-fetch-site': 'same-site' },
  'both headers': { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
}

/** What changes something. */
const CHANGES: Record<string, (url: string) => Asked> = {
  'a token by GET': url => ({ url: `${url}/hms/pr/token?${form()}` }),
  'a token by POST': url => ({
    url: `${url}/hms/pr/token?errorFormat=json`,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form({ errorFormat: null }).toString(),
  }),
  'a new key': url => ({ url: keystore(url), method: 'POST', body: '{"kid":"^other"}' }),
  'a changed key': url => ({ url: keystore(url, '^mine'), method: 'PUT', body: '{"info":"x"}' }),
  'a removed key': url => ({ url: keystore(url, '^mine'), method: 'DELETE' }),
  'an account': url => ({ url: `${url}/admin/api/accounts`, method: 'POST', headers: JSON_BODY, body: '{}' }),
}

const JSON_BODY = { 'content-type': 'application/json' }

t.test('pages of other sites change nothing', async t => {
  const { url } = await startTestServer(t)
  for (const [change, asked] of Object.entries(CHANGES))
    for (const [from, headers] of Object.entries(OTHER_SITES)) {
      const answer = await ask(asked(url), headers)
      t.equal(answer.status, 403, `${change}: ${from}`)
      t.match(JSON.parse(answer.body), { code: 403 }, 'in the form of the endpoint')
    }
  const page = await ask(
    { url: `${url}/hms/pr/token?${form({ errorFormat: null })}` },
    { 'sec-fetch-site': 'cross-site' },
  )
  t.match(page.body, /<!doctype html>.*Error 403.*CORS_ORIGINS/s)
  const { body } = await ask({ url: `${url}/cmiapi/getrecord/?customerAuthenticator=${AUTHENTICATOR}` }, {})
  t.same(JSON.parse(body), { valid: true, events: [] }, 'nothing was issued or written')
})

t.test('everybody else changes what they like', async t => {
  const { url } = await startTestServer(t)
  const { host } = new URL(url)
  await ask({ url: keystore(url), method: 'POST', body: '{"kid":"^mine"}' }, {})
  for (const [change, asked] of Object.entries(CHANGES))
    for (const headers of [
      {},
      { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'accept-language': 'en' },
      { 'sec-fetch-site': 'same-origin', origin: url },
      { origin: url },
      { origin: url.toUpperCase() },
      { 'accept-language': 'en' },
      { 'accept-language': '*', 'sec-fetch-mode': 'cors' },
    ])
      if (change !== 'a removed key') {
        const answer = await ask(asked(url), headers)
        t.match(answer.status, /^20/, `${change}: ${JSON.stringify(headers)} for ${host}`)
      }
})

t.test('a page behind a proxy is of the same site', async t => {
  const { url } = await startTestServer(t, {
    settings: { PUBLIC_URL: 'https://drm.example.com', TRUSTED_PROXIES: '127.0.0.1' },
  })
  const asked = CHANGES['a token by GET']?.(url) ?? { url }
  for (const [status, headers] of [
    [200, { host: 'drm.example.com', origin: 'https://drm.example.com' }],
    [200, { host: 'internal', origin: 'https://drm.example.com' }],
    [200, { host: 'internal', 'x-forwarded-host': 'other.example.com', origin: 'https://other.example.com' }],
    [403, { host: 'internal', origin: 'https://other.example.com' }],
  ] as const)
    t.equal((await ask(asked, headers)).status, status, JSON.stringify(headers))
})

t.test('CORS_ORIGINS allows the sites that it names, and with * only players', async t => {
  const player = { origin: STOREFRONT, 'sec-fetch-site': 'cross-site' }
  for (const [CORS_ORIGINS, status] of [
    ['*', 403],
    [STOREFRONT, 200],
    ['https://other.example', 403],
  ] as const) {
    const server = await startLicenceServer(t, { settings: { CORS_ORIGINS } })
    const asked = CHANGES['a token by GET']?.(server.url) ?? { url: '' }
    t.equal((await ask(asked, player)).status, status, CORS_ORIGINS)
    t.equal((await ask(asked, { 'sec-fetch-site': 'cross-site' })).status, 403, 'nobody knows of which site')
    const licence = await server.ask('/hms/ck/rights/', {
      token: server.seal(),
      body: clearKeyBody(KID),
      headers: player,
    })
    t.equal(licence.status, 200, 'key requests come from wherever the player is')
    const tool = { url: `${server.url}/tools/pssh`, method: 'POST', body: `{"keys":[{"kid":"${KID}"}]}` }
    t.equal((await ask(tool, player)).status, (await ask(tool, {})).status, 'and nothing comes of a pssh box')
  }
})

t.test('a page of another site gets no token by the certificate of its visitor', async t => {
  const server = await startTestServer(t, {
    settings: { ...(await entitlementSettings(t)), ENTITLEMENT_ACCOUNT: 201722 },
  })
  const connections = await clientTls()
  const asked = { messageID: MESSAGE, version: 1, contentID: CATALOGUE.film }
  const dispatcher = new Agent({ connect: connections })
  t.teardown(() => dispatcher.close())
  const answer = await requestWith(`${server.entitlementUrl}/entitlement`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain', 'sec-fetch-site': 'cross-site' },
    body: JSON.stringify(asked),
    dispatcher,
  })
  t.equal(answer.statusCode, 403)
  t.match(await answer.body.json(), { isAllowed: false, error: 403, epTokenURL: '' })
  t.match(await (await askerOf(t, server))(), { isAllowed: true })
})

/** A page under a name of its own that resolves to 127.0.0.1 sends these, and can leave none of them out. */
const REBOUND = { 'accept-language': 'en', 'user-agent': 'Mozilla/5.0' }

t.test('a server of this machine does not answer pages under a foreign name', async t => {
  const { url } = await started(t)
  const { port } = new URL(url)
  const paths = [
    `/hms/pr/token?${form()}`,
    `/cmiapi/getrecord/?customerAuthenticator=${AUTHENTICATOR}`,
    '/metrics',
    '/player',
  ]
  for (const path of paths)
    for (const headers of [REBOUND, { origin: `http://evil.example:${port}` }]) {
      const { status, body } = await ask({ url: `${url}${path}` }, { host: `evil.example:${port}`, ...headers })
      t.equal(status, 403, path)
      t.match(body, 'ADMIN_HOSTS')
    }
  for (const host of [
    'localhost',
    `127.0.0.1:${port}`,
    '127.1.2.3',
    `[::1]:${port}`,
    'drm.localhost',
    '192.168.1.7',
    'workstation',
    'pr-gen.test.expressplay.com',
  ])
    t.equal((await ask({ url: `${url}/hms/pr/token?${form()}` }, { host, ...REBOUND })).status, 200, host)
})

t.test('clients that are no browsers choose any Host, and so do all where anybody may connect', async t => {
  const { url } = await started(t)
  const asked = `/hms/pr/token?${form()}`
  t.equal((await ask({ url: `${url}${asked}` }, { host: 'drm.example.com' })).status, 200)
  const proxied = {
    host: 'drm.example.com',
    origin: 'https://drm.example.com',
    'sec-fetch-site': 'same-origin',
    ...REBOUND,
  }
  t.equal((await ask({ url: `${url}${asked}` }, proxied)).status, 200, 'a page that came over TLS, so through a proxy')
  const named = await started(t, { ADMIN_HOSTS: 'other.example, drm.example.com', PUBLIC_URL: 'http://public.example' })
  for (const host of ['drm.example.com', 'OTHER.example:80', 'public.example'])
    t.equal((await ask({ url: `${named.url}${asked}` }, { host, ...REBOUND })).status, 200, host)
  const open = await started(t, { HOST: '0.0.0.0' })
  const everywhere = open.url.replace('0.0.0.0', '127.0.0.1')
  t.equal((await ask({ url: `${everywhere}${asked}` }, { host: 'drm.example.com', ...REBOUND })).status, 200)
})

/** With the public demo account, as somebody has it who has just tried the service out. */
async function started(t: Test, settings: Settings = {}) {
  const server = await startServer({ settings })
  t.teardown(() => server.close())
  return server
}

function keystore(url: string, kid = ''): string {
  const query = new URLSearchParams({ customerAuthenticator: AUTHENTICATOR, kek: '000102030405060708090a0b0c0d0e0f' })
  return `${url}/keystore/keys${kid && `/${encodeURIComponent(kid)}`}?${query}`
}

interface Asked {
  readonly url: string
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** With headers that fetch does not let anybody set, and without those that it adds. */
function ask({ url, method = 'GET', headers, body }: Asked, more: Record<string, string>) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const sent = request(url, { method, headers: { ...headers, ...more } }, async answer => {
      let text = ''
      for await (const chunk of answer) text += chunk
      resolve({ status: answer.statusCode ?? 0, body: text })
    })
    sent.on('error', reject).end(body)
  })
}
