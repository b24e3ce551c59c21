import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import type { RequestGate } from '../emulator/request-gate.js'
import { isUnknown } from './unknown-paths.js'

/** The handlers of all routes but those below `outside` run inside the gate, so that a reset finds no request half done. */
export function gateHandlers(app: FastifyInstance, gate: RequestGate, outside: string): void {
  app.addHook('onRoute', route => {
    if (route.config?.isUnknownPath !== true && !route.url.startsWith(outside))
      route.handler = gated(route.handler, gate)
  })
  // Its work is done then. How long the answer takes to arrive is up to the caller, to those before it, and to faults.
  app.addHook('onSend', (request, _reply, _payload, next) => {
    if (request.trace !== undefined) gate.leave(request.trace)
    next()
  })
}

/**
 * For routes that look their account up before the body is read: where a reset has come in between, it is looked up
 * again.
 */
export function identifyInsideGate(
  app: FastifyInstance,
  gate: RequestGate,
  identify: (request: FastifyRequest, reply: FastifyReply) => Promise<void>,
): void {
  app.decorateRequest('gateTurn', 0)
  app.addHook('preParsing', async request => request.setDecorator('gateTurn', gate.turn))
  app.addHook('preHandler', async (request, reply) => {
    const { trace } = request
    if (trace === undefined || isUnknown(request)) return
    await gate.enter(trace)
    // The handler leaves; where it never runs, the end of the answer does.
    reply.raw.once('close', () => {
      if (!trace.isHandled) gate.leave(trace)
    })
    if (request.getDecorator<number>('gateTurn') !== gate.turn) await identify(request, reply)
  })
}

function gated(handler: RouteHandlerMethod, gate: RequestGate): RouteHandlerMethod {
  return function (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) {
    const { trace } = request
    if (trace === undefined) return handler.call(this, request, reply)
    const entering = gate.enter(trace)
    const run = () => {
      trace.isHandled = true
      const answering = handler.call(this, request, reply)
      const leave = () => gate.leave(trace)
      // Also when the caller is gone: what the handler has begun it finishes.
      if (answering instanceof Promise) answering.then(leave, leave)
      else leave()
      return answering
    }
    return entering === undefined ? run() : entering.then(run)
  }
}
