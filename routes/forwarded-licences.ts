import { pipeline } from 'node:stream/promises'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { RequestFailure } from '../src/connections/request-failure.js'
import type { StreamedAnswer } from '../src/connections/sent-request.js'
import type { LicenceFamily } from '../src/drm/family.js'
import { StatusError } from '../src/errors/public-error.js'
import type { Environment } from '../src/ground/environment.js'
import type { Logger } from '../src/ground/logger.js'
import { environmentOf } from '../src/ground/real-hosts.js'
import { readEnvironment } from '../src/upstream/hidden-licence-url.js'
import type { LicenceForwarding } from '../src/upstream/licence-forwarding.js'
import { licenceUnavailable } from '../src/upstream/unavailable.js'
import {
  type KeyRequest,
  type KeyRequestHandler,
  type LicenceEndpointsOptions,
  licenceEndpoints,
} from './licence-endpoints.js'

export interface ForwardedLicenceRoutesOptions extends LicenceEndpointsOptions {
  readonly licences: LicenceForwarding
  /** The environment of a request that names none. */
  readonly environment: Environment
  readonly logger: Logger
}

/** Key requests that the real licence servers answer. A DRM that none of them knows has no endpoint. */
export async function forwardedLicenceRoutes(
  app: FastifyInstance,
  options: ForwardedLicenceRoutesOptions,
): Promise<void> {
  await licenceEndpoints(app, { ...options, forwardsBodies: true }, family =>
    options.licences.environmentsOf(family).length === 0 ? undefined : forwarding(family, options),
  )
}

function forwarding(
  family: LicenceFamily,
  { licences, logger, ...options }: ForwardedLicenceRoutesOptions,
): KeyRequestHandler {
  return async (request, reply) => {
    const { environment: named, query } = readEnvironment(queryOf(request))
    const environment = named ?? environmentOf(request, options.environment)
    if (!licences.environmentsOf(family).includes(environment)) throw unknownThere()
    const log = ({ kind, reason }: RequestFailure) => {
      if (kind !== 'caller gone')
        logger.warn(
          { requestId: request.id, drm: family.drm, environment, failure: kind, reason },
          'no licence from the upstream',
        )
    }
    const answer = await licences.forward({
      family,
      method: request.method === 'GET' ? 'GET' : 'POST',
      environment,
      query,
      headers: request.raw.rawHeaders,
      body: request.body ?? Buffer.alloc(0),
      address: request.ip,
      gone: goneSignal(request, reply),
    })
    if (answer instanceof RequestFailure) {
      log(answer)
      throw licenceUnavailable(answer)
    }
    await pass(answer, reply, licences, log)
    return reply
  }
}

/** As it stands in the request line, which may be in absolute form. */
function queryOf({ raw }: KeyRequest): string {
  return /^[^?#]*(\?[^#]*)?/.exec(raw.url ?? '')?.[1] ?? ''
}

/** Watches the connection: of several pipelined requests, only the first one's response hears that it closed. */
function goneSignal({ raw: { socket } }: KeyRequest, { raw }: FastifyReply): AbortSignal {
  const gone = new AbortController()
  const leave = () => gone.abort()
  // As many as the player sends without waiting for their answers.
  socket.setMaxListeners(0).once('close', leave)
  raw.once('close', () => socket.off('close', leave))
  if (socket.destroyed) leave()
  return gone.signal
}

/**
 * Byte for byte, and as fast as the player reads. What ends too early ends the player's connection as well, and so does a
 * player that stops reading: it takes the place of another one.
 */
async function pass(
  answer: StreamedAnswer,
  reply: FastifyReply,
  licences: LicenceForwarding,
  log: (failure: RequestFailure) => void,
): Promise<void> {
  // Fastify would answer an error of its own, with the upstream's headers, where the body breaks off at once.
  reply.hijack()
  const ours = Object.entries({ ...reply.getHeaders(), ...HARMLESS })
  const headers = ours.flatMap(([name, value]) => [value ?? []].flat().flatMap(one => [name, String(one)]))
  const stalled = licences.watchReading(() => {
    // A response that is not the next one on its connection is queued.
    if (reply.raw.writableNeedDrain && reply.raw.socket !== null) answer.body.destroy(new RequestFailure('not read'))
    else stalled.restart()
  })
  reply.raw.on('drain', () => stalled.restart())
  try {
    reply.raw.writeHead(answer.status, [...headers, ...answer.headers])
    await pipeline(answer.body, reply.raw)
  } catch (error) {
    answer.body.destroy()
    reply.raw.destroy()
    // Any other error is that of the player's connection.
    if (error instanceof RequestFailure) log(error)
  } finally {
    stalled.cancel()
  }
}

/** Pages of the upstream are none of ours: a browser may show them, and no script of them runs in our name. */
const HARMLESS = { 'x-content-type-options': 'nosniff', 'content-security-policy': "default-src 'none'; sandbox" }

function unknownThere(): StatusError {
  return new StatusError(404, 'The upstream has no such licence server in this environment')
}
