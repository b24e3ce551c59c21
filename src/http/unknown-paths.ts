import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyContextConfig, FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import router from 'find-my-way'
import { StatusError } from '../errors/public-error.js'
import type { ErrorForm } from './error-forms.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Answers what no route takes: a wrong method with 405, a wrong path with 404. */
    refuseUnknown(request: FastifyRequest): never
  }
  interface FastifyContextConfig {
    /** The route takes what no other route of its plugin takes. */
    isUnknownPath?: boolean
  }
}

/** Many KIDs in one path: what bounds them is how long a request's head may be. */
export const ROUTER_OPTIONS = { maxParamLength: 16_384 }

/** Comes before the routes, whose paths and methods it remembers. */
export function refuseUnknownPaths(app: FastifyInstance, errorForm?: ErrorForm): void {
  const methodsOf = methodsByPath(app)
  app.decorate('refuseUnknown', (request: FastifyRequest) => {
    const status = unroutable.get(request.raw)
    if (status !== undefined) throw new StatusError(status, 'The path is not a valid URL')
    const allowed = methodsOf(request.url)
    if (allowed.length === 0 || allowed.includes(request.method)) throw new StatusError(404, 'Not found')
    throw new MethodNotAllowed(allowed.join(', '))
  })
  const config: FastifyContextConfig = errorForm === undefined ? {} : { errorForm }
  configureRoutes(app, config)
  // Fastify takes a config here as it does for a route; its types do not say so.
  app.setNotFoundHandler({ config } as object, app.refuseUnknown)
}

/**
 * The errors of all routes of this plugin have this form, where a route has none of its own, and so have unknown paths
 * below it. `others` are further settings of all of them.
 *
 * A route takes the unknown paths. A not-found handler for each plugin, which is Fastify's own way, adds 70 routes to a
 * router every time: that took half of the time in which the application is built.
 */
export function useErrorForm(app: FastifyInstance, errorForm: ErrorForm, others: FastifyContextConfig = {}): void {
  configureRoutes(app, { ...others, errorForm })
  const url = '*'
  const method = app.supportedMethods.filter(method => !app.hasRoute({ method, url: `${app.prefix}${url}` }))
  app.route({ method, url, schema: { hide: true }, config: { isUnknownPath: true }, handler: app.refuseUnknown })
}

function configureRoutes(app: FastifyInstance, config: FastifyContextConfig): void {
  app.addHook('onRoute', route => {
    route.config = { ...config, ...route.config }
  })
}

/** No route of an endpoint takes it. */
export function isUnknown({ is404, routeOptions }: FastifyRequest): boolean {
  return is404 || routeOptions.config.isUnknownPath === true
}

export class MethodNotAllowed extends StatusError {
  constructor(readonly allowed: string) {
    super(405, `Method not allowed; allowed are ${allowed}`)
  }
}

/** In the order in which they are listed. A preflight belongs to the method that it asks about. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Uses a second router, since Fastify does not expose its own; built when a path is unknown for the first time. */
function methodsByPath(app: FastifyInstance): (url: string) => string[] {
  const routes: { url: string; methods: readonly string[] }[] = []
  app.addHook('onRoute', ({ url, method, config }) => {
    if (config?.isUnknownPath !== true) routes.push({ url, methods: [method].flat() })
  })
  const makeRouter = () => {
    const made = router({ ...ROUTER_OPTIONS, onBadUrl: () => {} })
    for (const { url, methods } of routes)
      for (const method of METHODS)
        if (methods.includes(method) && !made.hasRoute(method, url)) made.on(method, url, () => {})
    return made
  }
  let known: ReturnType<typeof makeRouter> | undefined
  return url => {
    const among = known ?? makeRouter()
    known = among
    const path = url.replace(/[?#].*$/s, '')
    return METHODS.filter(method => among.find(method, path) !== null)
  }
}

/** Requests whose path the router cannot read, with the status that they are due. */
const unroutable = new WeakMap<IncomingMessage, number>()

export function isUnroutable(request: IncomingMessage): boolean {
  return unroutable.has(request)
}

/**
 * Routes a request again whose path is no URL, which the router refuses before any hook runs: as a path that it can read and
 * that has no route. So it is counted, limited, logged and answered like every other request.
 */
export function refuseUnroutable(route: (request: IncomingMessage, response: ServerResponse) => void) {
  return ({ statusCode }: FastifyError, { raw }: FastifyRequest, reply: FastifyReply): void => {
    unroutable.set(raw, statusCode ?? 400)
    raw.url = (raw.url ?? '').replace(/^[^?#]*/, '/')
    route(raw, reply.raw)
  }
}
