import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Agent, request } from 'undici'
import type { ContentEntry } from '../../schemas/content-entry.js'
import { type EntitlementAnswer, entitlementAnswer, REQUEST_TYPES } from '../../schemas/entitlement.js'
import { tokensOfUrl } from '../../schemas/licences.js'
import type { Settings } from '../../src/index.js'
import { CONTENT_KEY, NOON, type TestServer } from '../harness.js'
import { KID } from '../redeeming.js'
import { TestAuthority } from './certificates.js'

export const MESSAGE = '6f9619ff-8b86-d011-b42d-00c04fc964ff'
export const { timeBased, deviceRegistration, deviceBound } = REQUEST_TYPES

const POLICY = {
  useHttps: false,
  rightsType: 'BuyToOwn',
  generalFlags: '00000000',
  analogVideoOPL: 100,
  compressedDigitalAudioOPL: 100,
  compressedDigitalVideoOPL: 100,
  uncompressedDigitalAudioOPL: 100,
  uncompressedDigitalVideoOPL: 100,
}

const RENTAL = { ...POLICY, rightsType: 'Rental', generalFlags: '00000001' }

/** A content that everybody may have for an hour, and what else is said of it. */
export function content(number: number, other: Partial<ContentEntry> = {}): ContentEntry {
  const keys = [{ kid: KID, contentKey: CONTENT_KEY }]
  return { contentID: contentID(number), keys, policy: POLICY, duration: 3600, viewers: 'everyone', ...other }
}

export function contentID(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
}

export const CATALOGUE = {
  film: contentID(1),
  listed: contentID(2),
  gone: contentID(3),
  going: contentID(4),
  rental: contentID(5),
  endedRental: contentID(6),
  oneDevice: contentID(7),
  twoKeys: contentID(8),
  stored: contentID(9),
  plainScheme: contentID(10),
  unknown: contentID(999),
}

/** Under the key storage's own KID, with the key that unwraps it. */
export const STORED = { kid: '0c5e0a1b2c3d4e5f60718293a4b5c6d7', kek: '000102030405060708090a0b0c0d0e0f' }
export const SECOND_KID = 'a043e8b60da54cec8cb10cfb4cd9a1c8'

export const contents: ContentEntry[] = [
  content(1),
  content(2, { viewers: ['viewer-1'] }),
  content(3, { until: new Date(NOON).toISOString() }),
  content(4, { until: new Date(NOON + 60_000).toISOString() }),
  content(5, { policy: { ...RENTAL, 'rental.periodEndTime': '+7200', 'rental.playDuration': 60 } }),
  content(6, {
    policy: { ...RENTAL, 'rental.periodEndTime': '2026-05-31T00:00:00Z', 'rental.playDuration': 60 },
  }),
  content(7, { devicesPerCookie: 1 }),
  content(8, {
    keys: [
      { kid: KID, contentKey: CONTENT_KEY },
      { kid: SECOND_KID, contentKey: CONTENT_KEY },
    ],
  }),
  content(9, { keys: [STORED] }),
  content(10, { policy: { ...POLICY, useHttps: undefined } }),
]

/** Certificates are made once for all tests of a file: it takes a while. */
const certificates = (async () => {
  const authority = await TestAuthority.create()
  const validity = { notBefore: new Date('2000-01-02T00:00:00Z'), notAfter: new Date('2099-01-01T00:00:00Z') }
  const server = await authority.issue({ usage: 'server', ...validity })
  const client = await authority.issue({ usage: 'client', ...validity })
  return { authority, server, client }
})()

/** What a client that may ask connects with. */
export async function clientTls(): Promise<{ ca: string; cert: string; key: string }> {
  const { authority, client } = await certificates
  return { ca: authority.cert, ...client }
}

/** What starts an entitlement service beside a server, with this catalogue. */
export async function entitlementSettings(t: Test, catalogue: readonly ContentEntry[] = contents): Promise<Settings> {
  const { authority, server } = await certificates
  const folder = mkdtempSync(join(tmpdir(), 'entitlement-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  return {
    ENTITLEMENT_PORT: 0,
    ENTITLEMENT_TLS_CERT: file('server.pem', server.cert),
    ENTITLEMENT_TLS_KEY: file('server.key.pem', server.key),
    ENTITLEMENT_CLIENT_CA: file('authority.pem', authority.cert),
    CATALOGUE_FILE: file('catalogue.json', JSON.stringify({ contents: catalogue })),
  }
}

/** Any field, right or wrong. */
export interface Question {
  readonly requestType?: unknown
  readonly contentID?: unknown
  readonly customerCookie?: unknown
  readonly messageID?: string
  readonly version?: unknown
  readonly drm?: unknown
}

export interface Told extends EntitlementAnswer {
  readonly status: number
  readonly requestId: string
  readonly retryAfter: string | undefined
  readonly allow: string | undefined
}

export interface Sent {
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer | null
}

/** Sends anything over mutual TLS; whatever comes back is an answer of the documented form. */
export async function senderOf(t: Test, server: TestServer) {
  const connections = new Agent({ connect: await clientTls() })
  t.teardown(() => connections.close())
  return async ({ method = 'POST', path = '/entitlement', headers = {}, body = null }: Sent): Promise<Told> => {
    const answered = await request(`${server.entitlementUrl}${path}`, {
      method: method as 'POST', // undici sends others, too
      headers,
      body,
      dispatcher: connections,
    })
    const answer = entitlementAnswer.parse(await answered.body.json())
    const text = (name: string) => answered.headers[name]?.toString()
    t.equal(text('content-type'), 'application/json')
    t.equal(answer.isAllowed, answer.epTokenURL !== '')
    t.equal(answer.isAllowed, answer.error === 0)
    t.equal(answer.isAllowed, answer.errorText === '')
    if (answer.isAllowed) server.keepSecret(tokenIn(answer))
    return {
      ...answer,
      status: answered.statusCode,
      requestId: text('x-request-id') ?? '',
      retryAfter: text('retry-after'),
      allow: text('allow'),
    }
  }
}

/** Asks as the protocol says; what is not said otherwise is in order. */
export async function askerOf(t: Test, server: TestServer) {
  const send = await senderOf(t, server)
  server.keepSecret(CONTENT_KEY)
  return async (question: Question = {}): Promise<Told> => {
    const asked = { messageID: MESSAGE, version: 1, contentID: CATALOGUE.film, ...question }
    const answer = await send({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(asked) })
    t.equal(answer.messageID, asked.messageID)
    return answer
  }
}

/** The token in a licence URL of any DRM. */
export function tokenIn({ epTokenURL }: { epTokenURL: string }): string {
  return tokensOfUrl(new URL(epTokenURL))[0] ?? ''
}
