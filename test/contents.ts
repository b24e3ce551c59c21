import type { Test } from 'tap'
import { CONTENT_KEY, startTestServer, type TestServer } from './harness.js'

/** A content as administrators put one, and what of it is secret. */
export const ID = '3f2504e0-4f89-11d3-9a0c-0305e82c3301'
export const KEK = '0f0e0d0c0b0a09080706050403020100'
export const EK = '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5'
export const SECRETS = [CONTENT_KEY, KEK, EK]
export const policy = {
  rightsType: 'BuyToOwn',
  analogVideoOPL: 150,
  compressedDigitalAudioOPL: 200,
  compressedDigitalVideoOPL: 250,
  uncompressedDigitalAudioOPL: 200,
  uncompressedDigitalVideoOPL: '270',
}
export const content = {
  keys: [{ kid: 'B366360DA82E9C6E0B0984002A362CF2', contentKey: CONTENT_KEY }],
  policy,
  duration: 3600,
  viewers: 'everyone',
}

/** Sent to it, and never to be found in what it logs. */
export function withSecrets(server: TestServer): TestServer {
  for (const secret of SECRETS) server.keepSecret(secret)
  return server
}

export async function start(t: Test, DATABASE_URL: string, settings: Record<string, string> = {}): Promise<TestServer> {
  return withSecrets(await startTestServer(t, { settings: { DATABASE_URL, ...settings } }))
}
