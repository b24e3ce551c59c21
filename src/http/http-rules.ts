import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { StatusError } from '../errors/public-error.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether another service reads the body, which may know more content codings. */
    takesAnyCoding?: boolean
  }
}

/** What HTTP demands of every request and Node leaves to us. */
export const httpRules = fp(async (app: FastifyInstance) => {
  // Not before every plugin has said in which form its endpoints refuse.
  app.addHook('preParsing', (request, reply, _payload, next) => {
    if (!hasOneHost(request)) return next(new StatusError(400, 'A request has one Host header'))
    if (hasCodedBody(request.headers) && request.routeOptions.config.takesAnyCoding !== true) {
      reply.header('accept-encoding', 'identity')
      return next(new StatusError(415, 'The body must come without a Content-Encoding'))
    }
    next()
  })
})

/** Node takes the first of several, and proxies another. Before HTTP/1.1 there may be none (RFC 9112, 3.2). */
function hasOneHost({ raw }: FastifyRequest): boolean {
  let hosts = 0
  for (let at = 0; at < raw.rawHeaders.length; at += 2) {
    const name = raw.rawHeaders[at] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  return hosts === 1 || (hosts === 0 && raw.httpVersion !== '1.1')
}

function hasCodedBody(headers: IncomingHttpHeaders): boolean {
  const coding = headers['content-encoding']
  if (coding === undefined || /^\s*(?:identity\s*)?$/i.test(coding)) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
