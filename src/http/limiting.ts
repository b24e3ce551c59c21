import type { FastifyInstance, FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import type { AddressLimit, RateLimitStatus } from '../limits/rate-limits.js'

declare module 'fastify' {
  interface FastifyReply {
    /** Against the limit that is nearest to its end. */
    rateLimitStatus: RateLimitStatus | undefined
  }
  interface FastifyContextConfig {
    /** Whether as many requests may come as like: those that watch over the service. */
    isUnlimited?: boolean
  }
}

/** The headers that say so, beside `retry-after`. */
export const LIMIT_HEADERS = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'] as const

/** Counts the requests of each address, whatever they ask for, and refuses those over the limit. */
export const limiting = fp(async (app: FastifyInstance, { addresses }: { addresses?: AddressLimit | undefined }) => {
  app.decorateReply('rateLimitStatus', undefined)
  if (addresses?.isOn !== true) return
  // Not before every plugin has said in which form its endpoints refuse, and which origins may read it.
  app.addHook('preParsing', (request, reply, _payload, next) => {
    if (request.routeOptions.config.isUnlimited !== true) addresses.admit(request.ip, rateLimitReporter(reply))
    next()
  })
})

/** Says in the headers of an answer where the caller stands: of two limits, against the one that is nearer to its end. */
export function rateLimitReporter(reply: FastifyReply) {
  return (status: RateLimitStatus): void => {
    if (reply.rateLimitStatus !== undefined && reply.rateLimitStatus.remaining < status.remaining) return
    reply.rateLimitStatus = status
    const [limit, remaining, reset] = LIMIT_HEADERS
    reply.header(limit, status.limit).header(remaining, status.remaining).header(reset, status.resetSeconds)
  }
}
