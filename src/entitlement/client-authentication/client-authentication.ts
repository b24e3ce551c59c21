import type { RequestListener, ServerOptions } from 'node:http'
import type { Server } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { type ClientName, readClientName } from '../../config/client-name-syntax.js'
import type { EntitlementSettings } from '../../config/settings-entitlement.js'
import { ConfigError } from '../../errors/config-error.js'
import type { HandshakesParts } from './handshakes.js'
import { MutualTls } from './mutual-tls.js'
import { TrustedProxy } from './trusted-proxy.js'

/** Authenticates the clients of the entitlement service. */
export interface ClientAuthentication {
  /** The TLS server; undefined for plain HTTP. */
  createServer?(options: ServerOptions, handler: RequestListener): Server
  /** Runs before every route. */
  guard(app: FastifyInstance): void
  close(): void
}

export interface ClientAuthenticationParts extends HandshakesParts {
  readonly settings: Pick<EntitlementSettings, 'authentication' | 'clients'>
}

/** Throws a ConfigError when the certificate files cannot be used. */
export function clientAuthentication({ settings, ...parts }: ClientAuthenticationParts): ClientAuthentication {
  const clients = settings.clients.map(clientName)
  const { authentication } = settings
  return authentication.kind === 'tls'
    ? new MutualTls({ ...parts, settings: authentication, clients })
    : new TrustedProxy({ ...parts, settings: authentication, clients })
}

/** An unusable name must not be skipped: with an empty list every client would get in. */
function clientName(text: string): ClientName {
  const name = readClientName(text)
  if (name === undefined) throw new ConfigError([`ENTITLEMENT_CLIENTS has ${text}, which is no name of a client`])
  return name
}
