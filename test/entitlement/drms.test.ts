import { writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { ContentEntry, ContentKey } from '../../schemas/content-entry.js'
import { contentEntry } from '../../schemas/content-entry.js'
import { Families } from '../../src/drm/families.js'
import type { TokenFamily } from '../../src/drm/family.js'
import { REGISTRATION_KID, registrationContent } from '../../src/entitlement/registration.js'
import { ContentSource, type LicensedContent } from '../../src/entitlement/terms.js'
import { TOKEN_DRMS, type TokenDrm } from '../../src/ground/drms.js'
import { pooledRandomness } from '../../src/ground/randomness.js'
import { sampleParameters } from '../../src/sample.js'
import type { TokenOrder } from '../../src/tokens/issuer.js'
import { upstreamParameters } from '../../src/upstream/upstream-parameters.js'
import { administratorOf } from '../administrator.js'
import { appWith } from '../app.js'
import { onBothEngines } from '../engines.js'
import { CONTENT_KEY, NOON } from '../harness.js'
import { CUSTOMER, KID } from '../redeeming.js'
import { playClearKey, playPlayready } from './player.js'
import {
  CATALOGUE,
  content,
  contentID,
  deviceBound,
  deviceRegistration,
  entitlementSettings,
  SECOND_KID,
  tokenIn,
} from './service.js'
import { emulating, type Stage } from './stages.js'

const PHONE = '00112233445566778899aabbccddeeff'
const TABLET = 'ffeeddccbbaa99887766554433221100'
const IV = '0123456789abcdef0123456789abcdef'
const KEK = '000102030405060708090a0b0c0d0e0f'
const EK = '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5'
const families = new Families()

interface Row {
  readonly policy: NonNullable<ContentEntry['policy']>
  /** The same in a token, as far as the policy says it. */
  readonly granted: object
  readonly algId: string
  /** Where its tokens are redeemed, up to the token. */
  readonly path: string
  /** The refusal of an account that may not use it. */
  readonly disabled: number
  /** The refusal of a device-bound token. */
  readonly unbound?: number
}

const OPLS = {
  analogVideoOPL: 100,
  compressedDigitalAudioOPL: 200,
  compressedDigitalVideoOPL: 300,
  uncompressedDigitalAudioOPL: 400,
  uncompressedDigitalVideoOPL: '500',
}

const TABLE: Readonly<Record<TokenDrm, Row>> = {
  playready: {
    policy: { rightsType: 'BuyToOwn', ...OPLS, minCertSecurityLevel: 2000 },
    granted: { rightsType: 'BuyToOwn', analogVideoOPL: 100, minCertSecurityLevel: 2000 },
    algId: 'aescbc',
    path: '/playready/RightsManager.asmx?ExpressPlayToken=',
    disabled: -5002,
  },
  widevine: {
    policy: { hdcpOutputControl: 2, licenseDuration: '3600', wvExtension: ['wudo,AAAAAA==', 'abcd,AQ=='] },
    granted: {
      securityLevel: 1,
      hdcpOutputControl: 2,
      licenseDuration: 3600,
      wvExtension: ['wudo,AAAAAA==', 'abcd,AQ=='],
    },
    algId: 'aesctr',
    path: '/hms/wv/rights/?ExpressPlayToken=',
    disabled: -7011,
    unbound: -7002,
  },
  fairplay: {
    policy: { rentalDuration: 86_400, fpExtension: 'wudo,AAAAAA==' },
    granted: { iv: IV, rentalDuration: 86_400, fpExtension: ['wudo,AAAAAA=='] },
    algId: 'aescbc',
    path: '/hms/fp/rights/?ExpressPlayToken=',
    disabled: -6009,
  },
  marlin: {
    policy: { outputControlFlags: '0000000A', extensionType: 'wudo', extensionPayload: 'AAAAAA==' },
    granted: { outputControlFlags: '0000000a', extensionType: 'wudo' },
    algId: 'aesctr',
    path: '/hms/ms3/rights/?b=',
    disabled: -2031,
  },
}

const keys = [{ kid: KID, contentKey: CONTENT_KEY, algId: 'aescbc', iv: IV.toUpperCase() }]
const licences = TOKEN_DRMS.map(drm => ({ drm, policy: TABLE[drm].policy }))

/** Redeems a token where its URL says, as a player of any DRM. */
async function play({ epTokenURL }: { epTokenURL: string }, deviceId?: string, kid = KID) {
  if (epTokenURL.includes(TABLE.playready.path))
    return playPlayready({ epTokenURL }, { kid, ...(deviceId && { deviceId }) })
  const headers = deviceId === undefined ? {} : { 'x-device-id': deviceId }
  const answer = await fetch(epTokenURL, { method: 'POST', headers, body: 'a challenge of some bytes' })
  const { licences = [], code } = (await answer.json()) as { licences?: { kid: string }[]; code?: number } // as documented
  return { kids: licences.map(({ kid }) => kid), code }
}

/** Contents 1 to 4 are for one DRM each, content 5 for all: in the database, where an administrator has put them. */
async function stageWithContents(t: Test, DATABASE_URL: string): Promise<Stage> {
  const settings = { DATABASE_URL, ...(await entitlementSettings(t, [])) }
  const stage = await emulating(t, settings)
  const admin = administratorOf(stage.server)
  const put = async (number: number, entry: object) => {
    const { policy: _, ...others } = content(number)
    const answer = await admin.ask('PUT', `/contents/${contentID(number)}`, { ...others, keys, ...entry })
    t.equal(answer.status, 201)
    return answer.json()
  }
  for (const [index, { drm, policy }] of licences.entries())
    t.match(await put(index + 1, { drm, policy }), { drm, policy, keys: [{ kid: KID, iv: IV, source: 'contentKey' }] })
  const shown = await put(5, { licences })
  t.match(shown, { licences })
  t.notMatch(shown, { drm: /./ })
  return stage
}

onBothEngines(t, 'contents of each DRM, and one of all', async (t, database) => {
  const stage = await stageWithContents(t, await database())
  const { server, ask, events } = stage

  for (const [index, drm] of TOKEN_DRMS.entries()) {
    const { granted, algId, path, unbound } = TABLE[drm]
    for (const question of [{ contentID: contentID(index + 1) }, { contentID: contentID(5), drm }])
      await t.test(`${drm}: a token of its own policy, and its own URL`, async t => {
        const customerCookie = `${drm} ${question.contentID.slice(-1)}`
        const told = await ask({ ...question, customerCookie })
        t.match(told, { status: 200, isAllowed: true, error: 0 })
        t.ok(told.epTokenURL.startsWith(`${server.url}${path}`), told.epTokenURL.replace(/=.*/, ''))
        const token = server.openToken(tokenIn(told))
        t.match(token, { drm, keys: [{ kid: KID, contentKey: CONTENT_KEY, algId, policy: granted }] })
        t.match(await play(told), { kids: [KID] })
        t.match(await playClearKey(told), { kids: [KID] })
        const log = await events(customerCookie)
        t.same(log.map(({ event, drm }) => [event, drm]).toReversed(), [
          ['token_issued', drm],
          ['token_redeemed', drm],
          ['token_redeemed', 'clearkey'],
        ])
      })

    await t.test(`${drm}: a device registers, and a token is bound to it`, async t => {
      const viewer = { contentID: contentID(5), drm, customerCookie: `${drm} device` }
      t.match(await ask({ ...viewer, requestType: deviceBound }), { error: unbound ?? 1104 }, 'before the look-up')
      const registration = await ask({ ...viewer, requestType: deviceRegistration })
      t.ok(registration.epTokenURL.startsWith(`${server.url}${path}`))
      t.match(server.openToken(tokenIn(registration)), { drm, keys: [{ policy: families.named(drm).openPolicy }] })
      t.match(await play(registration, PHONE, REGISTRATION_KID), { kids: [REGISTRATION_KID] })
      const bound = await ask({ ...viewer, requestType: deviceBound })
      if (unbound !== undefined) {
        t.match(bound, { status: 200, isAllowed: false, error: unbound, errorText: /not supported for Widevine/ })
        return
      }
      t.match(await play(bound, PHONE), { kids: [KID] })
      t.match(await play(bound, TABLET), { kids: [], code: -4001 })
      t.match(await play(bound), { kids: [], code: -4001 })
    })
  }

  await t.test('without a DRM the first licence counts, and one that is missing is refused', async t => {
    const first = await ask({ contentID: contentID(5) })
    t.match(server.openToken(tokenIn(first)), { drm: TOKEN_DRMS[0] })
    const refused = await ask({ contentID: contentID(1), drm: 'widevine', customerCookie: 'missing' })
    const errorText = 'The content has no licence for this DRM: widevine'
    t.match(refused, { status: 200, isAllowed: false, error: 1109, errorText })
    t.match(await events('missing'), [{ event: 'entitlement_refused', drm: 'widevine', kid: [KID], error_code: 1109 }])
    const unknown = await ask({ contentID: CATALOGUE.unknown, drm: 'fairplay', customerCookie: 'nothing' })
    t.match(unknown, { error: 1101 })
    t.match(await events('nothing'), [{ drm: 'fairplay' }])
    for (const drm of ['Widevine', 'clearkey', 'bb', '', null, 7, ['widevine']])
      t.match(await ask({ drm }), { status: 400, error: 1002, errorText: /drm must be playready, widevine/ })
  })
})

t.test('what an account may not use is refused, by the code of the DRM', async t => {
  const settings = await entitlementSettings(t, [{ ...content(1), policy: undefined, keys, licences }])
  const stage = await emulating(t, { ...settings, ADMIN_TOKEN: 'only-for-administrators' })
  const admin = administratorOf(stage.server, 'only-for-administrators')
  const allow = async (drm: object) => t.equal((await admin.patch(`/accounts/${CUSTOMER}`, { drm })).status, 200)
  for (const drm of TOKEN_DRMS) {
    await allow({ [drm]: false })
    t.match(await stage.ask({ drm, customerCookie: drm }), { status: 200, error: TABLE[drm].disabled })
    t.match(await stage.events(drm), [{ event: 'entitlement_refused', drm, error_code: TABLE[drm].disabled }])
    await allow({ [drm]: true })
    t.match(await stage.ask({ drm }), { isAllowed: true })
  }
  await allow({ fairplayDeviceBinding: false })
  const bound = { drm: 'fairplay', customerCookie: 'viewer-1', requestType: deviceBound }
  t.match(await stage.ask(bound), { status: 200, error: -6008 }, 'where FairPlay is not bound')
  t.match(await stage.ask({ ...bound, requestType: deviceRegistration }), { isAllowed: true })
  await allow(Object.fromEntries(TOKEN_DRMS.map(drm => [drm, false])))
  t.match(await stage.ask({ contentID: CATALOGUE.unknown }), { error: -5002 }, 'without any, before the content')
})

t.test('a named policy has a DRM, which a content need not repeat', async t => {
  const settings = await entitlementSettings(t)
  const policies = Object.fromEntries(TOKEN_DRMS.map(drm => [drm, { drm, ...TABLE[drm].policy }]))
  const { viewers, duration } = content(1)
  const contents = TOKEN_DRMS.map((drm, index) => ({
    ...{ contentID: contentID(index + 1), keys, viewers, duration },
    ...(index % 2 === 0 ? { policy: drm } : { licences: [{ policy: drm }, { drm: 'playready', policy: 'former' }] }),
  }))
  const file = { policies: { ...policies, former: TABLE.playready.policy }, contents }
  writeFileSync(String(settings.CATALOGUE_FILE), JSON.stringify(file))
  const { server, ask } = await emulating(t, settings)
  for (const [index, drm] of TOKEN_DRMS.entries()) {
    const told = await ask({ contentID: contentID(index + 1) })
    t.match(server.openToken(tokenIn(told)), { drm, keys: [{ policy: TABLE[drm].granted }] })
  }
})

const keyForms: readonly (readonly [title: string, keys: object[]])[] = [
  ['one key', keys],
  ['a wrapped key', [{ kid: KID, kek: KEK, ek: EK, iv: IV }]],
  [
    'several keys',
    [
      { ...keys[0], algId: 'aesctr' },
      { kid: SECOND_KID, kek: KEK, ek: EK, iv: IV },
    ],
  ],
]

t.test('through a gateway the real service gets parameters that its DRM has, and no others', async t => {
  const { app, services, keepSecret } = await appWith(t)
  const { customerAuthenticator } = sampleParameters
  const account = await services.accounts.find(CUSTOMER)
  if (account === undefined) throw new Error('the account is missing')

  const ask = async (family: TokenFamily, content: LicensedContent, title: string) => {
    const grantee = { account, cookie: 'viewer-1', deviceId: undefined }
    const source = new ContentSource(family, content, grantee, () => NOON)
    const { restrictions, policies } = source.readTerms()
    const given = source.readKeys()
    const order: TokenOrder = {
      ...{ account, environment: 'test' as const, family, restrictions, useHttps: true },
      ...{ host: '', isSecure: false, requestId: '', source },
      keys: given.map(({ kid, contentKey }, index) => ({
        ...{ kid, contentKey, algId: family.algorithm, policy: policies[index] ?? {} },
      })),
    }
    const sent = upstreamParameters(order, 'drop')
    const form = new URLSearchParams({ customerAuthenticator })
    for (const [name, value] of Object.entries(sent)) for (const one of [value].flat()) form.append(name, one)
    const answer = await app.inject({
      method: 'POST',
      url: family.tokenPath,
      headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
      payload: form.toString(),
    })
    const { token = '' } = answer.json<{ token?: string }>()
    keepSecret(token)
    t.equal(answer.statusCode, 200, `${title}: ${answer.statusCode === 200 ? '' : answer.body}`)
    t.equal(answer.headers['x-ignored-parameters'], undefined, title)
    t.equal(answer.headers['x-assumed-parameters'], undefined, title)
    return { token, sent }
  }

  for (const drm of TOKEN_DRMS) {
    const family = families.named(drm)
    for (const [title, keys] of keyForms) {
      const { policy: _, ...others } = content(1)
      const read = contentEntry.parse({ ...others, keys, drm, policy: { ...TABLE[drm].policy, useHttps: true } })
      const [licence] = read.licences
      if (licence === undefined) throw new Error('a content without a licence')
      const { sent } = await ask(family, { ...read, policy: licence.policy }, `${drm}, ${title}`)
      const names = Object.keys(sent)
      t.equal(
        names.some(name => name.startsWith('algId')),
        drm === 'playready',
        `${drm}, ${title}: algId`,
      )
      t.equal(
        names.some(name => name.startsWith('iv')),
        drm === 'fairplay',
        `${drm}, ${title}: iv`,
      )
      t.equal(sent.useHttps, 'true')
      t.match(
        kidsIn(sent),
        read.keys.map(({ kid }: ContentKey) => kid),
        `${drm}, ${title}: the KIDs`,
      )
    }
    await ask(family, registrationContent(family, true, pooledRandomness()), `${drm}, a registration`)
  }
})

function kidsIn(sent: Readonly<Record<string, unknown>>): unknown[] {
  return Object.entries(sent).flatMap(([name, value]) => (/^kid(\.\d+)?$/.test(name) ? [value] : []))
}
