import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sendRefusal } from './answers.js'

/** Requests whose path the router cannot read, with the status that they are due. */
const unroutable = new WeakMap<IncomingMessage, number>()

export function markUnroutable(request: IncomingMessage, status: number): void {
  unroutable.set(request, status)
}

export function isUnroutable(request: IncomingMessage): boolean {
  return unroutable.has(request)
}

/** Answers what no route takes, be it a wrong method (405) or a wrong path (404). Comes before the routes. */
export function refuseUnknown(app: FastifyInstance) {
  const methodsOf = allowedMethods(app)
  return (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const status = unroutable.get(request.raw)
    if (status !== undefined)
      return sendRefusal(request, reply, { status, code: status, message: 'The path is not a valid URL' })
    const allowed = methodsOf(request.url)
    if (allowed.length === 0 || allowed.includes(request.method))
      return sendRefusal(request, reply, { status: 404, code: 404, message: 'Not found' })
    const message = `Method not allowed; allowed are ${allowed.join(', ')}`
    return sendRefusal(request, reply.header('allow', allowed.join(', ')), { status: 405, code: 405, message })
  }
}

/** Remembers the methods of every route. */
function allowedMethods(app: FastifyInstance): (url: string) => readonly string[] {
  const routes = new Map<string, { pattern: RegExp; methods: Set<string> }>()
  app.addHook('onRoute', ({ url, method }) => {
    const route = routes.get(url) ?? { pattern: patternOf(url), methods: new Set() }
    for (const one of [method].flat()) route.methods.add(one)
    routes.set(url, route)
  })
  return url => {
    const path = decoded(url.replace(/[?#].*$/s, ''))
    const matching = [...routes.values()].filter(({ pattern }) => pattern.test(path))
    return [...new Set(matching.flatMap(({ methods }) => [...methods]))]
  }
}

function patternOf(url: string): RegExp {
  const source = url
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/:[^/]+/g, '[^/]+')
  return new RegExp(`^${source}$`)
}

function decoded(path: string): string {
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}
