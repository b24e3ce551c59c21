import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type PublicError, StatusError } from '../errors/public-error.js'
import { JsonTextError, type JsonTextFault, parseJson } from '../ground/json-text.js'
import { isUnknown } from './unknown-paths.js'

export interface JsonBodiesOptions {
  /** Whether a body is JSON whatever its content type says, and any unknown name in it is passed over. */
  readonly isLenient?: boolean
  /** The error for a body that is not JSON, where it is not the plain one. */
  readonly refusal?: () => PublicError
}

const JSON_TYPE = 'application/json'

/**
 * Bodies below this plugin are JSON, by their content type or by having none: a page of another site could send a form
 * without asking first, but no JSON. An empty body is none, whatever its content type: `curl -X POST -d ''` calls it a
 * form. Two readers understand the same by a body, and it changes no prototype.
 */
export function readJsonBodies(app: FastifyInstance, options: JsonBodiesOptions = {}): void {
  const { isLenient = false, refusal } = options
  const parsePlainObjects = app.getDefaultJsonParser('error', 'error')

  // Fastify would refuse a malformed content type before any parser sees the body.
  if (isLenient)
    app.addHook('onRequest', (request, _reply, next) => {
      request.raw.headers['content-type'] = JSON_TYPE
      next()
    })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (request, body, done) => {
    const refuse = (error: StatusError) => {
      // That there is no such path or method is the first thing to know.
      if (isUnknown(request)) done(null, undefined)
      else done(refusal?.() ?? error)
    }
    if (body.length === 0) return done(null, undefined)
    if (!isLenient && !isJson(request)) return refuse(new StatusError(415, 'The body must be application/json'))
    try {
      const value = parseJson(body)
      if (isLenient || !/__proto__|constructor|\\u/.test(body.toString('latin1'))) return done(null, value)
    } catch (error) {
      return refuse(new StatusError(400, `The body ${faultOf(error)}`))
    }
    parsePlainObjects(request, body.toString(), (error, value) => {
      if (error === null) done(null, value)
      else refuse(new StatusError(400, 'The body has a name that would change a prototype', '__proto__'))
    })
  })
}

function isJson({ headers }: FastifyRequest): boolean {
  return /^\s*application\/json\s*(?:;|$)/i.test(headers['content-type'] ?? JSON_TYPE)
}

function faultOf(error: unknown): JsonTextFault {
  if (error instanceof JsonTextError) return error.fault
  throw error
}
