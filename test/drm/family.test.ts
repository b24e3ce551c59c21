import t from 'tap'
import { ParameterGroup } from '../../schemas/group.js'
import { parameter, rule, wholeNumber } from '../../schemas/rules.js'
import { Families } from '../../src/drm/families.js'
import type { TokenFamily } from '../../src/drm/family.js'
import { playready } from '../../src/drm/playready.js'
import { widevine } from '../../src/drm/stand-in.js'
import { sampleParameters } from '../../src/sample.js'
import { appWith } from '../app.js'

const parameters = {
  screens: parameter(wholeNumber(1, 9, rule(-2034, 'screens must be 1 to 9')), {
    description: 'How many screens may play at once.',
    example: '2',
    'x-error-code': -2034,
  }),
}
const group = new ParameterGroup(parameters)

/** A DRM that only this file knows. */
const cinema: TokenFamily = {
  drm: 'cinema',
  number: 200,
  tokenPath: '/hms/cinema/token',
  disabled: -5002,
  policySchema: () => ({ parameters, read: group.read.bind(group) }),
  openPolicy: { screens: 1 },
  writePolicy: (out, { screens }) => out.uint(Number(screens), 1),
  readPolicy: from => ({ screens: from.uint(1) }),
  licenceHost: { label: 'cinema', scheme: 'https:' },
  licences: { ...widevine, drm: 'cinema', path: '/hms/cinema/rights/' },
}

const { customerAuthenticator, kid, contentKey } = sampleParameters
const order = { customerAuthenticator, kid, contentKey, errorFormat: 'json', screens: '2', cookie: 'row 7' }

t.test('a DRM is one family: its tokens are issued, logged, counted, refused, replayed and redeemed', async t => {
  const { app, services, keepSecret } = await appWith(t, { families: new Families([playready, cinema]) })
  const ask = (change: Record<string, string> = {}, headers = {}) =>
    app.inject({ url: `/hms/cinema/token?${new URLSearchParams({ ...order, ...change })}`, headers })

  const issued = (await ask({}, { accept: 'application/json' })).json<{
    token: string
    licenseAcquisitionUrl: string
  }>()
  keepSecret(issued.token)
  t.equal(issued.licenseAcquisitionUrl, 'https://localhost:80/hms/cinema/rights/')

  const refused = await ask({ screens: '12' })
  t.equal(refused.statusCode, 400)
  t.match(refused.json(), { code: -2034, parameter: 'screens' })
  t.match((await ask({ kid: '' })).json(), { code: -4018 })

  const key = { 'idempotency-key': 'seat-7' }
  const [first, again] = [await ask({}, key), await ask({}, key)]
  t.equal(again.headers['idempotency-replayed'], 'true')
  t.equal(again.body, first.body)
  keepSecret(first.json<{ token: string }>().token)

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
  const { app, ask } = await appWith(t, { accounts, families: new Families([playready, cinema]) })
  t.match((await ask({ errorFormat: 'json' })).json(), { code: -5002 })
  t.equal((await app.inject({ url: `/hms/cinema/token?${new URLSearchParams(order)}` })).statusCode, 200)
})
