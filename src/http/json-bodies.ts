import type { FastifyInstance } from 'fastify'

/**
 * Bodies below this plugin are JSON, by their content type or by having none. An empty body is none, whatever its
 * content type: `curl -X POST -d ''` calls it a form. A body that would change a prototype is refused.
 */
export function readJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<string>('*', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') return done(null, undefined)
    if (isJson(request.headers['content-type'])) return parse(request, body, done)
    done(Object.assign(new Error('The body is not JSON'), { statusCode: 415 }))
  })
}

function isJson(contentType = 'application/json'): boolean {
  return /^\s*application\/json\s*(?:;|$)/i.test(contentType)
}
