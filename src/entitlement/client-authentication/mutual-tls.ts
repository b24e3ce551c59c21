import type { RequestListener, ServerOptions } from 'node:http'
import { createServer, type Server } from 'node:https'
import { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { FastifyInstance } from 'fastify'
import type { ClientName } from '../../config/client-name-syntax.js'
import type { MutualTlsSettings } from '../../config/settings-entitlement.js'
import { machineClock } from '../../ground/clock.js'
import type { Logger } from '../../ground/logger.js'
import { secureContextOptions } from './certificate-files.js'
import type { ClientAuthorities } from './client-authorities.js'
import { hasName } from './client-names.js'
import { CurrentCertificates } from './current-certificates.js'
import { Handshakes, type HandshakesParts, type Origin } from './handshakes.js'

export interface MutualTlsParts extends HandshakesParts {
  readonly settings: MutualTlsSettings
  /** Empty: every client of the authorities. */
  readonly clients: readonly ClientName[]
  readonly logger: Logger
}

const HANDSHAKE_MS = 10_000

/** TLS uses the machine's clock, and so do the checks that it leaves out. */
const MACHINE = machineClock()

/** Mutual TLS: HTTP gets only the connections of accepted clients. */
export class MutualTls {
  readonly #parts: MutualTlsParts
  readonly #handshakes: Handshakes
  readonly #certificates: CurrentCertificates
  readonly #servers: Server[] = []
  readonly #admissions = new WeakMap<object, Admission>()
  readonly #origins = new WeakMap<object, TlsOrigin>()
  #isClosing = false

  /** Throws a ConfigError when the files cannot be used. */
  constructor(parts: MutualTlsParts) {
    this.#parts = parts
    this.#handshakes = new Handshakes(parts)
    this.#certificates = new CurrentCertificates({
      ...parts,
      renewed: certificates => {
        for (const server of this.#servers) server.setSecureContext(secureContextOptions(certificates))
      },
    })
  }

  createServer(options: ServerOptions, handler: RequestListener): Server {
    const server = createServer(
      {
        ...options,
        ...secureContextOptions(this.#certificates.current),
        requestCert: true,
        rejectUnauthorized: true,
        handshakeTimeout: HANDSHAKE_MS,
      },
      handler,
    )
    this.#servers.push(server)
    // HTTP would answer a failed handshake.
    server.removeAllListeners('tlsClientError')
    server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
    server.on('connection', socket => this.#remember(socket))
    const serveHttp = server.listeners('secureConnection')
    server.removeAllListeners('secureConnection')
    server.on('secureConnection', socket => {
      if (this.#admit(socket)) for (const serve of serveHttp) Reflect.apply(serve, server, [socket])
      else socket.destroy()
    })
    return server
  }

  guard(app: FastifyInstance): void {
    // TLS checks a certificate once. When the check would fail now, the client has to reconnect after this answer.
    app.addHook('onRequest', (request, reply, next) => {
      if (this.#isOutdated(request.raw.socket)) reply.header('connection', 'close')
      next()
    })
    app.addHook('preClose', async () => {
      this.#isClosing = true
    })
  }

  close(): void {
    this.#certificates.close()
    this.#handshakes.close()
  }

  #admit(socket: TLSSocket): boolean {
    const certificate = socket.getPeerX509Certificate()
    const address = socket.remoteAddress
    if (!socket.authorized || certificate === undefined) {
      this.#handshakes.refused({ address, reason: 'no certificate' })
      return false
    }
    const authorities = this.#origins.get(acceptedBy(socket))?.authorities ?? this.#certificates.clientAuthorities
    const verification = authorities.verify(certificate, MACHINE.now())
    if ('refusal' in verification) {
      const reason = verification.refusal
      this.#handshakes.refused({ address, reason, ...(reason !== 'unknown authority' && { certificate }) })
      return false
    }
    const { clients } = this.#parts
    if (clients.length > 0 && !hasName(certificate, clients)) {
      this.#handshakes.refused({ address, reason: 'not allowed', certificate })
      return false
    }
    const { until } = verification
    this.#admissions.set(socket, { until, authorities })
    return true
  }

  #isOutdated(socket: Socket): boolean {
    const admission = this.#admissions.get(socket)
    return (
      admission === undefined ||
      admission.until < this.#parts.clock.now() ||
      admission.authorities !== this.#certificates.clientAuthorities
    )
  }

  #remember(socket: object): void {
    if (!(socket instanceof Socket)) return
    const address = socket.remoteAddress
    const authorities = this.#certificates.clientAuthorities
    this.#origins.set(socket, { address, authorities, hasSpoken: () => socket.bytesRead > 0 })
  }

  #failed(error: Error, socket: TLSSocket): void {
    // A shutdown aborts handshakes.
    if (!this.#isClosing) this.#handshakes.failed(error, socket, this.#origins.get(acceptedBy(socket)))
    socket.destroy()
  }
}

/** A slow handshake is checked against the authorities that were current when it began. */
interface TlsOrigin extends Origin {
  readonly authorities: ClientAuthorities
}

/** Why a connection was accepted. */
interface Admission {
  readonly until: number
  readonly authorities: ClientAuthorities
}

/**
 * The connection below TLS. Node does not report the address of a TLS socket that it has refused, and has no documented
 * way to the socket below. Without `_parent` the log would lack the address.
 */
function acceptedBy(socket: TLSSocket & { readonly _parent?: object }): object {
  return socket._parent ?? socket
}
