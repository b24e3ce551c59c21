import t from 'tap'
import { REGISTRATION_KID } from '../../src/entitlement/registration.js'
import { CONTENT_KEY } from '../harness.js'
import { KID } from '../redeeming.js'
import { playClearKey, playPlayready } from './player.js'
import { CATALOGUE, deviceBound, deviceRegistration, timeBased } from './service.js'
import { onEveryStage, type Scene } from './stages.js'

const PHONE = '00112233445566778899aabbccddeeff'
const TABLET = 'ffeeddccbbaa99887766554433221100'

const timeBasedScene: Scene = [
  'time-based: from the question to the licence',
  async (t, { ask, licences, events, clock }) => {
    const granted = await ask({ requestType: timeBased, customerCookie: 'viewer-1' })
    t.match(granted, { status: 200, version: 1, isAllowed: true, error: 0, errorText: '' })
    t.match(granted.epTokenURL, `${licences}/playready/RightsManager.asmx?ExpressPlayToken=`)
    t.match(await events('viewer-1'), [
      { event: 'token_issued', kid: [KID], device_id: undefined, error_code: 0, request_id: granted.requestId },
    ])

    t.match(await playPlayready(granted), { status: 200, kids: [KID] })
    const licence = await playClearKey(granted)
    t.match(licence, { status: 200, kids: [KID] })
    t.match(licence.body, Buffer.from(CONTENT_KEY, 'hex').toString('base64url'))

    const anonymous = await ask()
    t.match(await playClearKey(anonymous), { kids: [KID] }, 'nobody has to say who is watching')

    clock.now += 3_600_000
    t.match(await playPlayready(granted), { status: 500, kids: [], code: -4010 })
    t.match(await playClearKey(granted), { status: 403, kids: [], code: -4010 })
  },
]

const deviceBoundScene: Scene = [
  'device-bound: registered, looked up, and good for one device',
  async (t, { ask, events }) => {
    const customerCookie = 'viewer-2'
    const bound = { requestType: deviceBound, customerCookie }
    const early = await ask(bound)
    t.match(early, { status: 200, isAllowed: false, error: 1104, errorText: 'No device is registered' })

    const registration = await ask({ requestType: deviceRegistration, customerCookie })
    t.match(registration, { status: 200, isAllowed: true })
    t.match(await playClearKey(registration), { status: 400, code: -4022 }, 'its token has no key of the content')
    t.match(await ask(bound), { error: 1104 }, 'a registration alone is no device')
    t.match(await playClearKey(registration, { kid: REGISTRATION_KID }), { kids: [REGISTRATION_KID] })
    t.match(await ask(bound), { error: 1104 }, 'nor is a player that does not say which device it is')
    const registered = await playPlayready(registration, { kid: REGISTRATION_KID, deviceId: PHONE })
    t.match(registered, { status: 200, kids: [REGISTRATION_KID] })

    const granted = await ask(bound)
    t.match(granted, { status: 200, isAllowed: true })
    t.match(await playPlayready(granted, { deviceId: PHONE }), { status: 200, kids: [KID] }, 'the right device')
    t.match(await playClearKey(granted, { deviceId: PHONE.toUpperCase() }), { status: 200, kids: [KID] })
    t.match(await playPlayready(granted, { deviceId: TABLET }), { status: 500, code: -4001 }, 'a wrong one')
    t.match(await playClearKey(granted, { deviceId: TABLET }), { status: 403, code: -4001 })
    t.match(await playPlayready(granted), { status: 500, code: -4001 }, 'none')
    t.match(await playClearKey(granted), { status: 403, code: -4001 })
    t.match(await ask({ ...bound, customerCookie: 'viewer-3' }), { error: 1104 }, "another viewer's device is nobody's")

    const log = await events(customerCookie)
    t.match(
      log.find(({ request_id }) => request_id === granted.requestId),
      { event: 'token_issued', kid: [KID], device_id: PHONE },
    )
    t.match(
      log.find(({ request_id }) => request_id === early.requestId),
      { event: 'entitlement_refused', kid: [KID], device_id: undefined, error_code: 1104 },
    )
  },
]

const secondDevice: Scene = [
  'a second device: the newest one counts',
  async (t, { ask }) => {
    const register = async (customerCookie: string, deviceId: string) => {
      const registration = await ask({ requestType: deviceRegistration, customerCookie })
      await playPlayready(registration, { kid: REGISTRATION_KID, deviceId })
    }
    const askFor = (contentID: string, customerCookie: string) =>
      ask({ requestType: deviceBound, contentID, customerCookie })

    await register('family', PHONE)
    await register('family', TABLET)
    const granted = await askFor(CATALOGUE.film, 'family')
    t.match(await playClearKey(granted, { deviceId: TABLET }), { kids: [KID] })
    t.match(await playClearKey(granted, { deviceId: PHONE }), { code: -4001 })

    const refused = await askFor(CATALOGUE.oneDevice, 'family')
    t.match(refused, { status: 200, isAllowed: false, error: 1105 }, 'where one device may have it, it is the first')
    await register('family', PHONE)
    const back = await askFor(CATALOGUE.oneDevice, 'family')
    t.match(await playClearKey(back, { deviceId: PHONE }), { kids: [KID] }, 'who comes back is not shut out')
  },
]

onEveryStage(t, [timeBasedScene, deviceBoundScene, secondDevice])
