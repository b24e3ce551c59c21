import { existsSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import type { SecureVersion } from 'node:tls'
import type { Test } from 'tap'
import { startTestServer, type TestServer } from '../harness.js'
import { TestAuthority, type TestCertificate } from './certificates.js'

/** An entitlement service with a TLS port, and the authority whose clients it lets in. */
export interface Door {
  readonly server: TestServer
  readonly url: string
  readonly authority: TestAuthority
  readonly files: DoorFiles
}

export interface DoorFiles {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

export interface DoorOptions {
  readonly authority?: TestAuthority
  readonly own?: TestCertificate
  readonly settings?: Record<string, string>
  readonly now?: () => number
}

/** TLS goes by the system's clock, so this server does too. */
export async function startMutualTls(t: Test, options: DoorOptions = {}): Promise<Door> {
  const authority = options.authority ?? (await TestAuthority.create())
  const own = options.own ?? (await authority.issue({ subject: 'CN=entitlement', usage: 'server' }))
  const files = { cert: path(t, 'server.pem'), key: path(t, 'server.key'), ca: path(t, 'ca.pem') }
  writeFileSync(files.cert, own.cert)
  writeFileSync(files.key, own.key)
  writeFileSync(files.ca, authority.cert)
  const server = await startTestServer(t, {
    now: options.now ?? Date.now,
    settings: {
      ENTITLEMENT_PORT: 0,
      ENTITLEMENT_TLS_CERT: files.cert,
      ENTITLEMENT_TLS_KEY: files.key,
      ENTITLEMENT_CLIENT_CA: files.ca,
      ENTITLEMENT_ACCOUNT: 201722,
      ...options.settings,
    },
  })
  server.keepSecret(own.key)
  return { server, url: server.entitlementUrl ?? '', authority, files }
}

/** In the test's folder, which need not be there yet. */
export function path(t: Test, name: string): string {
  return join(existsSync(t.testdirName) ? t.testdirName : t.testdir(), name)
}

/** Nobody's content: that it is unknown says only one who was let in. */
export const QUESTION = {
  messageID: '3f2504e0-4f89-11d3-9a0c-0305e82c3301',
  version: 1,
  contentID: '00000000-0000-4000-8000-000000000001',
}

export interface Asker {
  readonly ca: string
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly agent?: Agent
  readonly maxVersion?: SecureVersion
  readonly minVersion?: SecureVersion
  readonly ciphers?: string
}

export interface AskedAnswer {
  readonly status: number | undefined
  readonly connection: string | undefined
  readonly body: {
    readonly isAllowed: boolean
    readonly error: number
    readonly errorText: string
    readonly epTokenURL: string
  }
}

/** Asks over TLS; without an agent over a connection of its own. Rejects with the code of what failed. */
export function ask(url: string, asker: Asker): Promise<AskedAnswer> {
  return new Promise((resolve, reject) => {
    const { agent = new Agent({ maxCachedSessions: 0 }), ...tls } = asker
    const asking = request(`${url}/entitlement`, { ...tls, agent, method: 'POST' })
    asking.on('response', response => resolve(received(response))).on('error', reject)
    asking.end(JSON.stringify(QUESTION))
  })
}

export async function received(response: IncomingMessage): Promise<AskedAnswer> {
  const body = JSON.parse((await response.setEncoding('utf8').toArray()).join('')) as AskedAnswer['body'] // as documented
  return { status: response.statusCode, connection: response.headers.connection, body }
}

/** The lines of the log with this text, when there are so many of them. */
export async function logged(server: TestServer, message: string, count = 1): Promise<LogLine[]> {
  const lines = () => server.log.map(line => JSON.parse(line) as LogLine).filter(line => line.msg === message) // pino's
  await until(() => lines().length >= count)
  return lines()
}

/** The lines about so many refused clients: of one reason there are a few a second, and then a line with their count. */
export async function refusedClients(server: TestServer, count: number): Promise<LogLine[]> {
  const lines = () => server.log.map(line => JSON.parse(line) as LogLine) // pino's
  const single = () => lines().filter(({ msg }) => msg === 'client refused')
  const more = () => lines().filter(({ msg }) => msg === 'more clients refused')
  await until(() => single().length + more().reduce((sum, line) => sum + Number(line.count), 0) >= count)
  return single()
}

export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly [field: string]: unknown
}

export const WARN = 40

const LONGEST_MS = 30_000

export async function until(isTrue: () => boolean): Promise<void> {
  const end = performance.now() + LONGEST_MS
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`it did not come true: ${isTrue}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
