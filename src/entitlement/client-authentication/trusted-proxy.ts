import { X509Certificate } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ClientName } from '../../config/client-name-syntax.js'
import type { TrustedProxySettings } from '../../config/settings-entitlement.js'
import { EntitlementRefusal } from '../../errors/entitlement-refusal.js'
import { AddressList } from '../../ground/ip-addresses.js'
import type { Logger } from '../../ground/logger.js'
import type { ClientRefusal } from './client-authorities.js'
import { hasName } from './client-names.js'
import { CurrentCertificates } from './current-certificates.js'
import { Handshakes, type HandshakesParts } from './handshakes.js'

export interface TrustedProxyParts extends HandshakesParts {
  readonly settings: TrustedProxySettings
  /** Empty: every client of the authorities. */
  readonly clients: readonly ClientName[]
  readonly logger: Logger
}

/** Plain HTTP from a proxy that terminates TLS and passes the client's certificate on. */
export class TrustedProxy {
  readonly #parts: TrustedProxyParts
  readonly #handshakes: Handshakes
  readonly #certificates: CurrentCertificates
  readonly #proxies: AddressList

  /** Throws a ConfigError when the CA file cannot be used. */
  constructor(parts: TrustedProxyParts) {
    this.#parts = parts
    this.#handshakes = new Handshakes(parts)
    this.#proxies = new AddressList(parts.settings.proxies)
    this.#certificates = new CurrentCertificates(parts)
  }

  guard(app: FastifyInstance): void {
    app.addHook('onRequest', (request, reply, next) => {
      const refused = this.#refusalOf(request)
      if (refused === undefined) return next()
      const { reason, certificate } = refused
      this.#handshakes.refused({ address: request.raw.socket.remoteAddress, reason, certificate })
      // A client that is no trusted proxy gets no second request on this connection.
      if (reason === 'foreign address') reply.header('connection', 'close')
      next(new EntitlementRefusal('clientCertificate', { status: 403, details: reason }))
    })
  }

  close(): void {
    this.#certificates.close()
    this.#handshakes.close()
  }

  #refusalOf(request: FastifyRequest): Refused | undefined {
    const { settings, clients, clock } = this.#parts
    // The socket's address: any client can write another one into a header.
    if (!this.#proxies.has(request.raw.socket.remoteAddress)) return { reason: 'foreign address' }
    const [text, another] = request.raw.headersDistinct[settings.header] ?? []
    // A second header shows that the proxy passes the client's own header on.
    if (another !== undefined) return { reason: 'unreadable certificate' }
    // nginx and AWS send an empty header, or a dash, for a client without a certificate.
    if (text === undefined || text === '' || text === '-') return { reason: 'no certificate' }
    const certificate = passedCertificate(text)
    if (certificate === undefined) return { reason: 'unreadable certificate' }
    const verification = this.#certificates.clientAuthorities.verify(certificate, clock.now())
    if ('refusal' in verification) {
      const reason = verification.refusal
      // The certificate of an unknown authority is not logged.
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

/**
 * The certificate that the proxy passes on: the Client-Cert field of RFC 9440 (`:base64 of the DER:`), or
 * percent-encoded PEM, as nginx and AWS write it; `undefined` for anything else. Of a chain it is the first.
 */
function passedCertificate(text: string): X509Certificate | undefined {
  const base64 = RFC_9440.exec(text)?.[1] ?? FIRST_PEM.exec(percentDecoded(text))?.[1]
  if (base64 === undefined) return undefined
  const der = Buffer.from(base64, 'base64')
  try {
    const certificate = new X509Certificate(der)
    // OpenSSL accepts more than a single DER certificate, and ignores what follows it.
    return certificate.raw.equals(der) ? certificate : undefined
  } catch {
    return undefined
  }
}

const RFC_9440 = /^:([A-Za-z\d+/]+={0,2}):$/
const FIRST_PEM = /^-----BEGIN CERTIFICATE-----\r?\n([A-Za-z\d+/=\r\n]+)\r?\n-----END CERTIFICATE-----(?:\s|$)/

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
