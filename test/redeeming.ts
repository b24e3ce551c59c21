import type { Test } from 'tap'
import type { RecordedEvent } from '../schemas/records.js'
import { Families } from '../src/drm/families.js'
import type { TokenFamily } from '../src/drm/family.js'
import { pooledRandomness } from '../src/ground/randomness.js'
import type { ServerOptions } from '../src/index.js'
import { sampleParameters } from '../src/sample.js'
import { ByteWriter } from '../src/tokens/bytes.js'
import { encodeContent, type TokenContent } from '../src/tokens/token-content.js'
import { TokenVault } from '../src/tokens/vault.js'
import { NOON, startTestServer, type TestServer } from './harness.js'

const SEALING_KEY = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'
const HOUR = 3_600_000
const families = new Families()

export const CUSTOMER = 201722
export const KID = '334b5d3d44f54f56a410e07caaa7160e'
export const OTHER_KID = 'a043e8b60da54cec8cb10cfb4cd9a1c8'
export const DEVICE = '00112233445566778899aabbccddeeff'

export interface LicenceServer extends Omit<TestServer, 'events'> {
  /** Posts a key request. */
  ask(path: string, request?: KeyRequest): Promise<Response>
  /** A token with any content: also such as the server issues none of, or not yet, or no longer. */
  seal(content?: Partial<TokenContent>, customerId?: number, family?: TokenFamily): string
  /** The newest events, newest first. */
  events(): Promise<RecordedEvent[]>
}

export interface KeyRequest {
  /** In the query; several are several places in it. */
  readonly token?: string | readonly string[] | undefined
  readonly body?: string | Uint8Array | undefined
  readonly headers?: Record<string, string>
}

export async function startLicenceServer(
  t: Test,
  { settings, ...options }: ServerOptions = {},
): Promise<LicenceServer> {
  const server = await startTestServer(t, { settings: { TOKEN_KEYS: SEALING_KEY, ...settings }, ...options })
  const vault = new TokenVault([Buffer.from(SEALING_KEY, 'hex')], pooledRandomness())
  return {
    ...server,
    ask: (path, { token = [], body, headers = {} } = {}) => {
      const query = [token].flat().map(one => `ExpressPlayToken=${encodeURIComponent(one)}`)
      // Bytes have no content type, as with shaka-player.
      const bytes = typeof body === 'string' ? Buffer.from(body) : (body ?? null)
      return fetch(`${server.url}${path}?${query.join('&')}`, { method: 'POST', body: bytes, headers })
    },
    seal: (content, customerId = CUSTOMER, family) => {
      const whole = { ...plainContent, ...content }
      const { token } = vault.seal({ customerId, style: '2021', version: 8 }, encoded(whole, family))
      server.keepSecret(token)
      for (const { contentKey } of whole.keys) server.keepSecret(contentKey)
      return token
    },
    events: async () => {
      const { customerAuthenticator } = sampleParameters
      const answer = await fetch(`${server.url}/cmiapi/getrecord/?${new URLSearchParams({ customerAuthenticator })}`)
      return ((await answer.json()) as { events: RecordedEvent[] }).events // the documented answer
    },
  }
}

/** The sealed part of a token: where a key does not say the policy of its DRM, the plainest. */
export function encoded(content: TokenContent, family: TokenFamily = families.named(content.drm)): Buffer {
  const keys = content.keys.map(key => ({ ...key, policy: { ...family.openPolicy, ...key.policy } }))
  return encodeContent({ ...content, keys }, family, new ByteWriter())
}

/** A key with the plainest policy. */
export function tokenKey(kid: string, policy: object = {}): TokenContent['keys'][number] {
  return {
    kid,
    contentKey: `5ec2e7a0c0ffee00${kid.slice(16)}`,
    algId: 'aesctr',
    policy: {
      rightsType: 'BuyToOwn',
      generalFlags: '00000000',
      analogVideoOPL: 100,
      compressedDigitalAudioOPL: 200,
      compressedDigitalVideoOPL: 300,
      uncompressedDigitalAudioOPL: 400,
      uncompressedDigitalVideoOPL: 500,
      ...policy,
    },
  }
}

const plainContent: TokenContent = {
  drm: 'playready',
  environment: 'test',
  issuedAt: NOON,
  expiresAt: NOON + HOUR,
  keys: [tokenKey(KID), tokenKey(OTHER_KID)],
}

/** A Clear Key request as players write it. */
export function clearKeyBody(...kids: string[]): string {
  return JSON.stringify({ kids: kids.map(kid => Buffer.from(kid, 'hex').toString('base64url')), type: 'temporary' })
}

/** A PlayReady challenge with nothing but what is needed. */
export function playreadyBody(content = `<KID>PV1LM/VEVk+kEOB8qqcWDg==</KID>`, customData = ''): string {
  return (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><AcquireLicense><challenge><Challenge><LA>' +
    `<ContentHeader><WRMHEADER version="4.0.0.0"><DATA>${content}</DATA></WRMHEADER></ContentHeader>` +
    `<CustomData>${customData}</CustomData></LA></Challenge></challenge></AcquireLicense></s:Body></s:Envelope>`
  )
}
