import t from 'tap'
import { z } from 'zod'
import { ParameterGroup } from '../../schemas/group.js'
import { keySchema, optionalKid } from '../../schemas/keys.js'
import { parameter, rule, wholeNumber } from '../../schemas/rules.js'
import { Families } from '../../src/drm/families.js'
import type { TokenFamily } from '../../src/drm/family.js'
import { tokenOfUrl, urlWithToken } from '../../src/drm/licence-urls.js'
import { playready } from '../../src/drm/playready-family.js'
import { opaqueLicences } from '../../src/drm/stand-in-licence.js'
import { widevine } from '../../src/drm/widevine-family.js'
import { sampleParameters } from '../../src/sample.js'
import { appWith } from '../app.js'

const parameters = {
  screens: parameter(wholeNumber(1, 9, rule(-2034, 'screens must be 1 to 9')), {
    description: 'How many screens may play at once.',
    example: '2',
    'x-error-code': -2034,
  }),
  seat: parameter(z.array(z.string().regex(/^[A-Z]\d+$/, rule(-2036, 'a seat is a letter and a number'))).default([]), {
    description: 'Who may watch. May be repeated.',
    example: 'A1',
    'x-error-code': -2036,
    'x-repeatable': true,
  }),
}
const group = new ParameterGroup(parameters)

/** A DRM that only this file knows. */
const cinema: TokenFamily = {
  drm: 'cinema',
  number: 200,
  kid: 'optional',
  tokenPath: '/hms/cinema/token',
  tokenVersion: 6,
  name: 'cinema',
  title: 'Cinema',
  disabled: { code: -5002 },
  tooLong: { code: -2037, parameter: 'seat' },
  algorithm: 'aesctr',
  strayNumber: -2035,
  keySchema: keySchema(new ParameterGroup(optionalKid.parameters, optionalKid.relations(-5007))),
  policySchema: () => group,
  deviceBinding: { refusal: -5005 },
  answer: { contentType: 'text/plain', text: issued => urlWithToken(issued), read: tokenOfUrl },
  keySystem: 'com.example.cinema',
  openPolicy: { screens: 1, seat: [] },
  writePolicy: (out, { screens, seat }) => {
    out.uint(Number(screens), 1)
    out.text([seat].flat().join(' '))
  },
  readPolicy: from => ({ screens: from.uint(1), seat: from.text().split(' ') }),
  licenceHost: { label: 'cinema', scheme: 'as reached' },
  licences: opaqueLicences({ drm: 'cinema', name: 'cinema', path: '/hms/cinema/rights/' }),
}

const { customerAuthenticator, kid, contentKey } = sampleParameters
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const order = { customerAuthenticator, kid, contentKey, errorFormat: 'json', screens: '2', cookie: 'row 7' }

t.test('a DRM is one family: its tokens are issued, logged, counted, refused, replayed and redeemed', async t => {
  const { app, services, keepSecret } = await appWith(t, { families: new Families([playready, widevine, cinema]) })
  const ask = (change: Record<string, string> = {}, headers = {}) =>
    app.inject({ url: `/hms/cinema/token?${new URLSearchParams({ ...order, ...change })}`, headers })

  const issued = (await ask({}, { accept: 'application/json' })).json<{
    token: string
    licenseAcquisitionUrl: string
  }>()
  keepSecret(issued.token)
  t.equal(issued.licenseAcquisitionUrl, 'http://localhost:80/hms/cinema/rights/')

  const refused = await ask({ screens: '12' })
  t.equal(refused.statusCode, 400)
  t.match(refused.json(), { code: -2034, parameter: 'screens' })
  t.match((await ask({ kid: '' })).json(), { code: -4018 })

  const key = { 'idempotency-key': 'seat-7' }
  const [first, again] = [await ask({}, key), await ask({}, key)]
  t.equal(again.headers['idempotency-replayed'], 'true')
  t.equal(again.body, first.body)
  keepSecret(first.body.split('ExpressPlayToken=')[1] ?? '')

  t.match(first.headers['content-type'], /^text\/plain/)
  t.match(first.body, /^http:\/\/localhost:80\/hms\/cinema\/rights\/\?ExpressPlayToken=[\w-]+$/)
  t.match(
    (await ask({ deviceId: '0'.repeat(32) })).json(),
    { code: -5005, parameter: 'deviceId' },
    'it cannot be bound',
  )

  const redeem = (path: string) =>
    app.inject({ method: 'POST', url: `${path}?ExpressPlayToken=${issued.token}`, payload: 'challenge' })
  const licence = await redeem('/hms/cinema/rights/')
  t.match(licence.json(), { emulated: true, licences: [{ kid, policy: { screens: 2 } }] })
  t.match((await redeem('/hms/wv/rights/')).json(), { code: -4010 }, 'it is redeemed by its own family alone')

  const log = await app.inject({ url: `/cmiapi/getrecord/?${new URLSearchParams({ customerAuthenticator })}` })
  const events = log.json<{ events: { event: string; drm: string; error_code: number }[] }>().events
  for (const event of ['token_issued', 'token_refused', 'token_redeemed'])
    t.ok(
      events.some(one => one.event === event && one.drm === 'cinema'),
      event,
    )
  t.match(await services.metrics.registry.metrics(), /tokens_issued_total\{[^}]*drm="cinema"[^}]*\} 2/)
})

t.test('a disabled option refuses its DRM, and no other', async t => {
  const accounts = [{ id: 201722, authenticators: { test: customerAuthenticator }, drm: { playready: false } }]
  const { app, ask } = await appWith(t, { accounts, families: new Families([playready, widevine, cinema]) })
  t.match((await ask({ errorFormat: 'json' })).json(), { code: -5002 })
  t.equal((await app.inject({ url: `/hms/cinema/token?${new URLSearchParams(order)}` })).statusCode, 200)
})

t.test('a parameter that may be repeated is a list, for the token and for an Idempotency-Key', async t => {
  const { app, keepSecret } = await appWith(t, { families: new Families([playready, widevine, cinema]) })
  const ask = (seats: string[], headers = {}) => {
    const form = new URLSearchParams(order)
    for (const seat of seats) form.append('seat', seat)
    return app.inject({
      method: 'POST',
      url: '/hms/cinema/token',
      payload: form.toString(),
      headers: { ...FORM, ...headers },
    })
  }
  const issued = await ask(['A1', 'B2'], { accept: 'application/json' })
  const { token } = issued.json<{ token: string }>()
  keepSecret(token)
  const licence = await app.inject({
    method: 'POST',
    url: `/hms/cinema/rights/?ExpressPlayToken=${token}`,
    payload: 'x',
  })
  t.match(licence.json(), { licences: [{ kid, policy: { screens: 2, seat: ['A1', 'B2'] } }] })
  t.match((await ask(['A1', 'stairs'])).json(), { code: -2036, parameter: 'seat' })

  const key = { 'idempotency-key': 'row-7' }
  const first = await ask(['A1'], key)
  keepSecret(first.body.split('ExpressPlayToken=')[1] ?? '')
  t.equal((await ask(['A1', 'B2'], key)).statusCode, 422, 'another list is another request')
  t.equal((await ask(['A1'], key)).body, first.body)
})

t.test('a token whose key has no KID is good for whatever is asked, and its log names none', async t => {
  const { app, keepSecret } = await appWith(t, { families: new Families([playready, widevine, cinema]) })
  const { kid: _, ...withoutKid } = order
  const query = new URLSearchParams(withoutKid)
  const issued = await app.inject({ url: `/hms/cinema/token?${query}`, headers: { accept: 'application/json' } })
  const { token } = issued.json<{ token: string }>()
  keepSecret(token)

  const clearKeyRequest = { kids: [Buffer.from(kid, 'hex').toString('base64url')], type: 'temporary' }
  const licence = await app.inject({
    method: 'POST',
    url: `/hms/ck/rights/?ExpressPlayToken=${token}`,
    payload: clearKeyRequest,
  })
  t.match(licence.json(), { keys: [{ kty: 'oct', kid: clearKeyRequest.kids[0] }] })

  const log = await app.inject({ url: `/cmiapi/getrecord/?${new URLSearchParams({ customerAuthenticator })}` })
  const events = log.json<{ events: { event: string; kid: string[] }[] }>().events
  t.same(events.find(({ event }) => event === 'token_issued')?.kid, [])

  const { contentKey: __, ...withoutKey } = withoutKid
  const stored = new URLSearchParams({ ...withoutKey, kek: '0'.repeat(32) })
  t.match((await app.inject(`/hms/cinema/token?${stored}`)).json(), { code: -4024, parameter: 'kek' })
})

t.test('its requests count against the limits of its account', async t => {
  const families = new Families([playready, widevine, cinema])
  const { app } = await appWith(t, { families, settings: { RATE_LIMIT_PER_ACCOUNT: '2' } })
  const statuses = []
  for (let sent = 0; sent < 3; sent++)
    statuses.push((await app.inject(`/hms/cinema/token?${new URLSearchParams(order)}`)).statusCode)
  t.same(statuses, [200, 200, 429])
})
