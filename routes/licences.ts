import type { FastifyInstance } from 'fastify'
import { DEVICE_HEADER, readDeviceId, readViewerClaim } from '../schemas/licences.js'
import type { LicenceFamily } from '../src/drm/family.js'
import { sendAs } from '../src/http/answers.js'
import { givenTokens } from '../src/tokens/given-tokens.js'
import type { TokenRedemption } from '../src/tokens/token-redemption.js'
import { type KeyRequestHandler, type LicenceEndpointsOptions, licenceEndpoints } from './licence-endpoints.js'

export interface LicenceRoutesOptions extends LicenceEndpointsOptions {
  readonly redemption: TokenRedemption
  /** Whether a header may say which device a request comes from. */
  readonly believesDeviceHeader: boolean
}

/** Key requests that we answer ourselves. */
export async function licenceRoutes(app: FastifyInstance, options: LicenceRoutesOptions): Promise<void> {
  await licenceEndpoints(app, options, family => redeeming(family, options))
}

function redeeming(family: LicenceFamily, options: LicenceRoutesOptions): KeyRequestHandler {
  const { redemption, believesDeviceHeader } = options
  return async (request, reply) => {
    const challenge = family.read(request.body ?? Buffer.alloc(0))
    if (challenge.withoutToken !== undefined) {
      const { contentType, text } = challenge.withoutToken
      return sendAs(reply, contentType, text)
    }
    const stated = believesDeviceHeader ? readDeviceId(request.headers[DEVICE_HEADER]) : undefined
    const redeemed = await redemption.redeem({
      family,
      tokens: givenTokens(request, family, challenge.tokens ?? []),
      asked: challenge.asked,
      claim: readViewerClaim(request.query),
      address: request.ip,
      deviceId: stated ?? challenge.deviceId,
      requestId: request.id,
      trace: request.trace,
    })
    const { contentType, text } = challenge.licence(redeemed)
    return sendAs(reply, contentType, text)
  }
}
