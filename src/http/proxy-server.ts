import {
  request as ask,
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { FastifyInstance } from 'fastify'
import type { ServedCertificates } from '../certificates/served-certificates.js'
import { HOP_BY_HOP } from '../ground/hop-by-hop.js'
import { isRealHost } from '../ground/real-hosts.js'
import { type Listening, listenOnAll } from './http-server.js'
import { tlsServer } from './tls-server.js'

export interface ProxyParts {
  readonly certificates: ServedCertificates
  readonly host: string
  readonly port: number
  /** Whether other hosts than those of the real service are reached through it. */
  readonly passesThrough: boolean
  /** Milliseconds in which a tunnel has to bring its first byte. */
  readonly requestTimeout: number
}

/**
 * An HTTP proxy that answers for the real service's names: whatever a client sends to them reaches the application,
 * with the Host that the client meant. It has the same limits as the application's other servers.
 */
export async function listenAsProxy(app: FastifyInstance, parts: ProxyParts): Promise<Listening> {
  const inside = tunnelEnds(app, parts.certificates)
  return listenOnAll(app, parts, () =>
    app.newServer((options, handler) => {
      const server = createServer(options, (request, response) => answer(request, response, handler, parts))
      server.on('connect', (request, socket, head) => {
        // Node's own servers take sockets only, and its HTTP server has none but those here.
        openTunnel(request, socket as Socket, head, inside, parts)
      })
      return server
    }),
  )
}

/** The servers that speak in a tunnel. They do not listen: they get their connections from the proxy. */
function tunnelEnds(app: FastifyInstance, certificates: ServedCertificates) {
  const secure = app.newServer((options, handler) => tlsServer(certificates, options, handler))
  const plain = app.newServer()
  for (const server of [secure, plain]) {
    // From now on Node checks how long requests take to arrive.
    server.emit('listening')
    app.server.once('close', () => server.close(() => {}))
  }
  return { secure, plain }
}

type TunnelEnds = ReturnType<typeof tunnelEnds>

const ESTABLISHED = 'HTTP/1.1 200 Connection Established\r\n\r\n'
/** The first byte of every TLS handshake. */
const HANDSHAKE = 0x16

function openTunnel(
  { url = '' }: IncomingMessage,
  socket: Socket,
  head: Buffer,
  { secure, plain }: TunnelEnds,
  { passesThrough, requestTimeout }: ProxyParts,
): void {
  socket.on('error', () => socket.destroy())
  const [, host = '', port = ''] = AUTHORITY.exec(url) ?? []
  if (!isRealHost(host)) {
    if (passesThrough && host !== '') passThrough(socket, head, host.replace(/^\[|\]$/g, ''), Number(port))
    else refuse(socket, host)
    return
  }
  socket.setTimeout(requestTimeout, () => socket.destroy())
  socket.write(ESTABLISHED)
  if (head.length > 0) socket.unshift(head)
  socket.once('readable', () => {
    const first = socket.read() as Buffer | null // it has no encoding
    socket.removeAllListeners('timeout').setTimeout(0)
    if (first === null) return void socket.destroy()
    socket.unshift(first)
    ;(first[0] === HANDSHAKE ? secure : plain).emit('connection', socket)
  })
}

/** A host and a port, as CONNECT has them. */
const AUTHORITY = /^([\w.-]{1,253}|\[[\da-fA-F:.]{2,45}\]):(\d{1,5})$/

/** Says why in plain text, on a connection that ends with it. */
function refuse(socket: Duplex, host: string): void {
  const text = refusalOf(host)
  socket.end(
    `HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  )
}

function refusalOf(host: string): string {
  const name = host === '' ? 'This' : host
  return `${name} is no host of the service that is emulated here. PROXY_PASS_THROUGH=true lets the proxy reach other hosts.\n`
}

function passThrough(socket: Socket, head: Buffer, host: string, port: number): void {
  const other = connect({ host, port, timeout: IDLE_MS }, () => {
    socket.write(ESTABLISHED)
    other.write(head)
    // Either end may break off.
    pipeline(socket, other, socket).catch(() => {})
  })
  const end = () => {
    other.destroy()
    socket.destroy()
  }
  other.on('timeout', end).on('error', end)
  socket.on('close', end)
}

/** A connection to another host that brings nothing for so long is closed. */
const IDLE_MS = 120_000

/** A request in absolute form (RFC 9112, 3.2.2), as clients send http URLs to a proxy. */
function answer(request: IncomingMessage, response: ServerResponse, handle: RequestListener, parts: ProxyParts): void {
  const [, scheme = '', host = '', path = ''] = ABSOLUTE.exec(request.url ?? '') ?? []
  if (isRealHost(host)) {
    request.url = path === '' || path.startsWith('?') ? `/${path}` : path
    request.headers.host = host
    handle(request, response)
  } else if (parts.passesThrough && scheme.toLowerCase() === 'http') forward(request, response)
  else {
    response.writeHead(403, { 'content-type': 'text/plain', connection: 'close' }).end(refusalOf(host))
  }
}

/** Some clients ask for https URLs in this form, too: the request then comes to us in plain text, as they send it. */
const ABSOLUTE = /^(https?):\/\/([^/?#@]{1,261})([/?][^#]*)?/i

function forward(request: IncomingMessage, response: ServerResponse): void {
  const { method, url = '' } = request
  const asked = ask(url, { method: method ?? 'GET', headers: endToEnd(request), timeout: IDLE_MS }, answer => {
    response.writeHead(answer.statusCode ?? 502, endToEnd(answer))
    pipeline(answer, response).catch(() => response.destroy())
  })
  asked
    .on('timeout', () => asked.destroy())
    .on('error', () => {
      if (response.headersSent) response.destroy()
      else response.writeHead(502, { 'content-type': 'text/plain' }).end('The host cannot be reached.\n')
    })
  response.on('close', () => asked.destroy())
  pipeline(request, asked).catch(() => {})
}

function endToEnd({ headers }: IncomingMessage) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)))
}
