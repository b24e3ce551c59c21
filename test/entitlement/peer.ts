import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import type { EntitlementAnswer, EntitlementRequest } from '../../schemas/entitlement.js'
import { TestAuthority, type TestCertificate } from './certificates.js'

/** What the service of somebody else does with a question. */
export type Answering = (asked: EntitlementRequest, reply: ServerResponse, request: IncomingMessage) => void

/** An entitlement service that is not ours, over mutual TLS, and says whatever a test wants. */
export interface Peer {
  readonly url: string
  readonly port: number
  /** How the client knows it and is known by it. */
  readonly identity: TestCertificate & { readonly ca: string }
  readonly asked: readonly EntitlementRequest[]
  /** How many connections came through the handshake. */
  readonly connections: () => number
  /** What it does with the questions from now on. */
  answer: Answering
}

export interface PeerParts {
  readonly certificate?: Parameters<TestAuthority['issue']>[0]
  readonly port?: number
}

export async function startPeer(t: Test, answer: Answering, parts: PeerParts = {}): Promise<Peer> {
  const authority = await TestAuthority.create()
  const own = await authority.issue({ usage: 'server', ...parts.certificate })
  const identity = { ...(await authority.issue({ usage: 'client' })), ca: authority.cert }
  const asked: EntitlementRequest[] = []
  let connections = 0
  const server = createServer({ ...own, ca: authority.cert, requestCert: true, rejectUnauthorized: true })
  server.on('secureConnection', (socket: TLSSocket) => {
    connections += 1
    socket.on('error', () => {})
  })
  server.on('request', async (request, reply) => {
    const question = JSON.parse(await text(request)) as EntitlementRequest // our own client wrote it
    asked.push(question)
    peer.answer(question, reply, request)
  })
  await once(server.listen(parts.port ?? 0, '127.0.0.1'), 'listening')
  t.teardown(async () => {
    server.closeAllConnections()
    await once(server.close(), 'close')
  })
  const { port } = server.address() as AddressInfo // of a TCP server
  const url = `https://127.0.0.1:${port}`
  const peer: Peer = { url, port, identity, asked, connections: () => connections, answer }
  return peer
}

export const TOKEN_URL = 'https://pr.example.com/playready/RightsManager.asmx?ExpressPlayToken=AQADE_rB'

/** The documented answer, with a change. */
export function says(change: Partial<EntitlementAnswer> = {}): Answering {
  return ({ messageID, version }, reply) => {
    const answer = { messageID, version, isAllowed: true, epTokenURL: TOKEN_URL, error: 0, errorText: '', ...change }
    reply.end(JSON.stringify(answer))
  }
}

export function denies(error: number, errorText: string): Answering {
  return says({ isAllowed: false, epTokenURL: '', error, errorText })
}
