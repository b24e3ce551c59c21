import type { RequestListener, ServerOptions } from 'node:http'
import type { Server } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { type ClientName, readClientName } from '../../config/client-name-syntax.js'
import type { EntitlementSettings } from '../../config/settings-entitlement.js'
import { ConfigError } from '../../errors/config-error.js'
import type { Now } from '../../ground/clock.js'
import type { HandshakesParts } from './handshakes.js'
import { OpenProxyDoor } from './proxy-door.js'
import { OpenTlsDoor } from './tls-door.js'

/** Who gets in to the entitlement service. */
export interface OpenDoor {
  /** A server that speaks TLS; where there is none, it is plain HTTP. */
  createServer?(options: ServerOptions, handler: RequestListener): Server
  /** Comes before every route. */
  guard(app: FastifyInstance): void
  close(): void
}

export interface OpenDoorParts extends HandshakesParts {
  readonly settings: Pick<EntitlementSettings, 'door' | 'clients'>
  readonly now: Now
}

/** Throws a ConfigError when the files of the door are of no use. */
export function openDoor({ settings, ...parts }: OpenDoorParts): OpenDoor {
  const clients = settings.clients.map(clientName)
  const { door } = settings
  return door.kind === 'tls'
    ? new OpenTlsDoor({ ...parts, door, clients })
    : new OpenProxyDoor({ ...parts, door, clients })
}

/** None may be left out: without any, every client would get in. */
function clientName(text: string): ClientName {
  const name = readClientName(text)
  if (name === undefined) throw new ConfigError([`ENTITLEMENT_CLIENTS has ${text}, which is no name of a client`])
  return name
}
