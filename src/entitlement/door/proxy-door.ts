import type { X509Certificate } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { ClientName } from '../../config/client-name-syntax.js'
import type { ProxyDoor } from '../../config/settings-entitlement.js'
import { EntitlementRefusal } from '../../errors/entitlement-refusal.js'
import { AddressList } from '../../ground/address-list.js'
import type { Now } from '../../ground/clock.js'
import { CurrentCertificates } from './certificates.js'
import type { ClientRefusal } from './client-authorities.js'
import { passedCertificate } from './client-certificate.js'
import { hasName } from './client-names.js'
import { Handshakes, type HandshakesParts } from './handshakes.js'

export interface OpenProxyDoorParts extends HandshakesParts {
  readonly door: ProxyDoor
  /** Every client of the authorities when there is none. */
  readonly clients: readonly ClientName[]
  readonly now: Now
  readonly logger: Logger
}

/** Plain HTTP from a proxy that has ended TLS, and says whose certificate it has seen. */
export class OpenProxyDoor {
  readonly #parts: OpenProxyDoorParts
  readonly #handshakes: Handshakes
  readonly #certificates: CurrentCertificates
  readonly #proxies: AddressList

  /** Throws a ConfigError when the file of authorities is of no use. */
  constructor(parts: OpenProxyDoorParts) {
    this.#parts = parts
    this.#handshakes = new Handshakes(parts)
    this.#proxies = new AddressList(parts.door.proxies)
    this.#certificates = new CurrentCertificates(parts)
  }

  guard(app: FastifyInstance): void {
    app.addHook('onRequest', (request, reply, next) => {
      const refused = this.#refusalOf(request)
      if (refused === undefined) return next()
      const { reason, certificate } = refused
      this.#handshakes.refused({ address: request.raw.socket.remoteAddress, reason, certificate })
      // Whoever it is, his next request is not worth to wait for.
      if (reason === 'foreign address') reply.header('connection', 'close')
      next(new EntitlementRefusal('clientCertificate', { status: 403, details: reason }))
    })
  }

  close(): void {
    this.#certificates.close()
    this.#handshakes.close()
  }

  #refusalOf(request: FastifyRequest): Refused | undefined {
    const { door, clients, now } = this.#parts
    // The socket's own: what a header says of an address, anybody can say.
    if (!this.#proxies.has(request.raw.socket.remoteAddress)) return { reason: 'foreign address' }
    const [text, another] = request.raw.headersDistinct[door.header] ?? []
    // A proxy that passes on what the client says in this header shows it by a second one.
    if (another !== undefined) return { reason: 'unreadable certificate' }
    // nginx and AWS write an empty one, or a dash, for a client without.
    if (text === undefined || text === '' || text === '-') return { reason: 'no certificate' }
    const certificate = passedCertificate(text)
    if (certificate === undefined) return { reason: 'unreadable certificate' }
    const verification = this.#certificates.clientAuthorities.verify(certificate, now())
    if ('refusal' in verification) {
      const reason = verification.refusal
      // A stranger's is not shown.
      return reason === 'unknown authority' ? { reason } : { reason, certificate }
    }
    if (clients.length > 0 && !hasName(certificate, clients)) return { reason: 'not allowed', certificate }
    return undefined
  }
}

interface Refused {
  readonly reason: ClientRefusal
  readonly certificate?: X509Certificate | undefined
}
