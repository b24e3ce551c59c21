import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import {
  createServer as createPlainServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
} from 'node:http'
import type { Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import type { ServedCertificates } from '../certificates/served-certificates.js'
import type { Config } from '../config/config.js'
import type { Logger } from '../ground/logger.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'
import type { Journal } from '../journal/journal.js'
import type { AddressLimit } from '../limits/rate-limits.js'
import type { Metrics } from '../metrics.js'
import { badHttp } from './bad-http.js'
import type { ErrorForm } from './error-forms.js'
import { HttpConnections } from './http-connections.js'
import { tlsServer } from './tls-server.js'
import { ROUTER_OPTIONS, refuseUnroutable } from './unknown-paths.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly connections: HttpConnections
    /** Another server with the same settings, for another address; `create` makes one that speaks otherwise. */
    newServer(create?: CreateServer): Server
  }
}

export interface HttpServerParts {
  readonly config: Config
  readonly random: Randomness
  readonly logger: Logger
  readonly metrics: Metrics
  readonly journal?: Journal | undefined
  /** How many requests one address may send, where that is limited. */
  readonly addresses?: AddressLimit | undefined
  /** Makes a server that speaks TLS. */
  readonly createServer?: CreateServer | undefined
  /** Whose word on where a request comes from holds, where it is not TRUSTED_PROXIES. */
  readonly proxies?: readonly string[] | undefined
  /** The form of errors for a request that cannot say which form it wants; HTML without it. */
  readonly errorForm?: ErrorForm | undefined
}

type CreateServer = (options: ServerOptions, handler: RequestListener) => Server | TlsServer

/** An idle connection is closed after so many milliseconds. */
const KEEP_ALIVE = 72_000

/** Fastify without what it does by itself: its own log lines (they hold URLs), JSON bodies, servers. */
export function httpServer(parts: HttpServerParts): FastifyInstance {
  const { config, random } = parts
  const { REQUEST_TIMEOUT, ANSWER_TIMEOUT } = config
  const proxies = parts.proxies ?? config.TRUSTED_PROXIES
  const createServer = parts.createServer ?? createPlainServer
  const newRequestId = requestIds(random)
  const connections = new HttpConnections((request, response) => app.routing(request, response))
  const refuse = badHttp({ ...parts, connections, newRequestId })

  function newServer(create: CreateServer): Server {
    const options: ServerOptions = {
      keepAliveTimeout: KEEP_ALIVE,
      requestTimeout: REQUEST_TIMEOUT,
      // Of the two Node gives the longer one to the whole request.
      headersTimeout: REQUEST_TIMEOUT,
      // Node looks at its clock only so often, every half a minute by default.
      connectionsCheckingInterval: Math.min(1000, Math.ceil(REQUEST_TIMEOUT / 10)),
      // We refuse it ourselves, in the form that was asked for.
      requireHostHeader: false,
    }
    const server = create(options, connections.listener)
    // Node drops what comes after the first thousand headers, such as what a proxy says of a client. How long all of
    // them may be is bounded anyway.
    server.maxHeadersCount = 0
    server.timeout = ANSWER_TIMEOUT
    connections.watch(server)
    server.on('clientError', refuse)
    // An expectation that we do not know is no reason to refuse (RFC 9110, 10.1.1), least of all past our own answers.
    server.on('checkExpectation', connections.listener)
    return server
  }

  const app = fastify({
    logger: false,
    // It only derives the scheme from the presence of TLS options.
    ...(parts.createServer && { https: {} }),
    serverFactory: () => newServer(createServer),
    genReqId: newRequestId,
    bodyLimit: config.BODY_LIMIT,
    trustProxy: proxies === undefined ? false : [...proxies],
    routerOptions: ROUTER_OPTIONS,
    // No schema of ours is compiled, and each start would load Ajv.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // Each server has our own.
    clientErrorHandler: () => {},
    frameworkErrors: refuseUnroutable((request, response) => app.routing(request, response)),
  }) as unknown as FastifyInstance // whether it speaks TLS is nothing that a route sees
  app.removeAllContentTypeParsers()
  app.decorate('connections', connections)
  app.decorate('newServer', (create: CreateServer = createServer) => newServer(create))
  return app
}

function noCompiler(): never {
  throw new Error('a route has a JSON schema that nothing compiles here')
}

export interface Listening {
  readonly url: string
  /** Every address, the one of the URL first. */
  readonly addresses: readonly AddressInfo[]
}

/** Listens, for `localhost` on each of its addresses. */
export async function listen(app: FastifyInstance, where: { host: string; port: number }): Promise<Listening> {
  const url = await app.listen(where)
  const first = app.server.address() as AddressInfo // it listens on a port
  const addresses = [first]
  const others = where.host === 'localhost' ? await lookup(where.host, { all: true }) : []
  for (const { address } of others) {
    if (address === first.address) continue
    const server = app.newServer()
    server.listen(first.port, address)
    app.server.once('close', () => server.close())
    // This machine does not have the address, or another process has the port.
    const listens = await once(server, 'listening').catch(() => undefined)
    if (listens !== undefined) addresses.push(server.address() as AddressInfo) // as above
  }
  return { url, addresses }
}

/** Listens with TLS as well, for the same application. It drains and closes with the first server. */
export async function listenWithTls(
  app: FastifyInstance,
  certificates: ServedCertificates,
  where: { host: string; port: number },
): Promise<Listening> {
  const { addresses } = await listenOnAll(app, where, () =>
    app.newServer((options, handler) => tlsServer(certificates, options, handler)),
  )
  return { url: `https://${socketName(addresses)}`, addresses }
}

/** Further servers of the application, for `localhost` one on each of its addresses. They close with the first server. */
export async function listenOnAll(
  app: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
  newServer: () => Server,
): Promise<Listening> {
  const addresses: AddressInfo[] = []
  for (const { address } of await lookup(host, { all: true })) {
    const [first] = addresses
    const server = newServer()
    server.listen(first?.port ?? port, address)
    app.server.once('close', () => server.close())
    const listens = once(server, 'listening')
    // As in `listen`: the first address has to work.
    const isListening = first === undefined ? await listens : await listens.catch(() => undefined)
    if (isListening !== undefined) addresses.push(server.address() as AddressInfo) // it listens on a port
  }
  return { url: `http://${socketName(addresses)}`, addresses }
}

function socketName([first]: readonly AddressInfo[]): string {
  if (first === undefined) throw new Error('HOST has no address')
  return `${first.address.includes(':') ? `[${first.address}]` : first.address}:${first.port}`
}

const ACCEPTABLE = /^[\w.:-]{1,64}$/

/** The id of each request: the caller's own `x-request-id` where it is a plain word, else a new one. */
export function requestIds(random: Randomness): (request: Pick<IncomingMessage, 'headers'>) => string {
  const start = randomBytes(random, 6).toString('hex')
  let count = 0
  return ({ headers }) => {
    const given = headers['x-request-id']
    if (typeof given === 'string' && ACCEPTABLE.test(given)) return given
    count += 1
    return `${start}-${count.toString(36)}`
  }
}
