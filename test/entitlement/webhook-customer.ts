import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { ServerOptions, Settings } from '../../src/index.js'
import { startTestServer, type TestServer } from '../harness.js'
import { TestAuthority, type TestCertificate } from './certificates.js'

export const SECRET = 'a-secret-that-is-shared-with-nobody'
export const CONTENT = '3f2504e0-4f89-11d3-9a0c-0305e82c3301'

/** A question that has arrived whole. */
export interface Arrival {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly question: Record<string, unknown>
}

export type Behaviour = (response: ServerResponse, arrival: Arrival) => void

/** The customer's endpoint: HTTPS on a socket, which does whatever it is told to. */
export class Customer {
  readonly arrivals: Arrival[] = []
  connections = 0
  behave: Behaviour
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(behave: Behaviour, certificate: TestCertificate) {
    this.behave = behave
    this.#server = createServer({ ...certificate }, (request, response) => void this.#read(request, response))
    this.#server.on('tlsClientError', () => {})
    this.#server.on('connection', (socket: Socket) => {
      this.connections += 1
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket)).on('error', () => {})
    })
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo // of a TCP server
    return `https://localhost:${port}/may-they`
  }

  get connected(): number {
    return this.#sockets.size
  }

  async listen(): Promise<void> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening')
  }

  /** From now on it shows this certificate; what is connected must connect anew. */
  certify(certificate: TestCertificate): void {
    this.#server.setSecureContext({ ...certificate })
    this.#disconnect()
  }

  /** Serves a connection that came to somebody else. */
  take(socket: Socket): void {
    this.#server.emit('connection', socket)
  }

  async stop(): Promise<void> {
    this.#disconnect()
    if (this.#server.listening) await once(this.#server.close(), 'close')
  }

  #disconnect(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async #read(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const { method, url, headers } = request
    const question = JSON.parse(body) as Record<string, unknown> // what the tests check is in it
    const arrival = { method, url, headers, body, question }
    this.arrivals.push(arrival)
    this.behave(response, arrival)
  }
}

/** Says this in JSON. */
export function says(answer: unknown): Behaviour {
  return response => void response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
}

/** An entry of a catalogue, as the customer answers it. */
export function entry(change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    contentID: CONTENT,
    keys: [{ kid: 'b366360da82e9c6e0b0984002a362cf2', contentKey: CONTENT_KEY_OF_ENTRY }],
    policy: {
      rightsType: 'BuyToOwn',
      analogVideoOPL: 150,
      compressedDigitalAudioOPL: 0,
      compressedDigitalVideoOPL: 0,
      uncompressedDigitalAudioOPL: 0,
      uncompressedDigitalVideoOPL: 0,
    },
    duration: 600,
    viewers: 'everyone',
    ...change,
  }
}

export const CONTENT_KEY_OF_ENTRY = '7d1f9b04c3aa4e5f8812d06be95c3a70'

export interface Decision {
  readonly messageID: string
  readonly version: number
  readonly isAllowed: boolean
  readonly epTokenURL: string
  readonly error: number
  readonly errorText: string
}

/** Asks the entitlement service, as a client does; `status` is 200 unless it says otherwise. */
export type Ask = (question?: Record<string, unknown>) => Promise<Decision>

export interface Entitled {
  readonly server: TestServer
  readonly customer: Customer
  readonly authority: TestAuthority
  /** The file with the authority that the customer's certificate must be of. */
  readonly caFile: string
  readonly ask: Ask
}

export interface EntitledParts extends Omit<ServerOptions, 'settings'> {
  readonly behave?: Behaviour
  readonly settings?: Settings
}

/** A server that asks a customer, and a client that asks the server. */
export async function startEntitled(t: Test, { behave, settings, ...options }: EntitledParts = {}): Promise<Entitled> {
  const authority = await TestAuthority.create()
  // Some tests start two.
  const folder = mkdtempSync(join(tmpdir(), 'webhook-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const caFile = join(folder, 'authority.pem')
  const clientCaFile = join(folder, 'clients.pem')
  for (const file of [caFile, clientCaFile]) writeFileSync(file, authority.cert)
  const certificate = await authority.issue({ usage: 'server' })
  const customer = new Customer(behave ?? says({ isAllowed: true, content: entry() }), certificate)
  await customer.listen()
  t.teardown(() => customer.stop())
  const server = await startTestServer(t, {
    ...options,
    settings: {
      ENTITLEMENT_PORT: 0,
      ENTITLEMENT_PROXIES: '127.0.0.1',
      ENTITLEMENT_CLIENT_CA: clientCaFile,
      ENTITLEMENT_ACCOUNT: 201722,
      ENTITLEMENT_WEBHOOK_URL: customer.url,
      ENTITLEMENT_WEBHOOK_SECRET: SECRET,
      ENTITLEMENT_WEBHOOK_CA: caFile,
      // Long enough for a busy machine; what tests the time sets its own.
      ENTITLEMENT_WEBHOOK_TIMEOUT: 20_000,
      ...settings,
    },
  })
  for (const secret of [SECRET, CONTENT_KEY_OF_ENTRY]) server.keepSecret(secret)
  // The clock is that of the test.
  const lasting = { notBefore: new Date('2001-01-01T00:00:00Z'), notAfter: new Date('2099-01-01T00:00:00Z') }
  const { cert } = await authority.issue({ usage: 'client', ...lasting })
  return { server, customer, authority, caFile, ask: asking(server, cert) }
}

const MESSAGE = '0e984725-c51c-4bf4-9960-e1c80e27aba0'

function asking({ entitlementUrl }: TestServer, clientCertificate: string): Ask {
  const der = new X509Certificate(clientCertificate).raw.toString('base64')
  return async (question = {}) => {
    const response = await fetch(`${entitlementUrl}/entitlement`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'client-cert': `:${der}:` },
      body: JSON.stringify({ messageID: MESSAGE, version: 1, requestType: 1, contentID: CONTENT, ...question }),
    })
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
    return (await response.json()) as Decision // what the tests check
  }
}

/** The log line that says why there was no decision. */
export function failureIn({ log }: TestServer): { readonly failure?: string; readonly reason?: string } {
  const line = log.findLast(line => line.includes('the webhook did not decide'))
  return line === undefined ? {} : (JSON.parse(line) as { failure?: string; reason?: string }) // our own line
}
