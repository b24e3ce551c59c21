import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ActiveFault } from '../emulator/active-fault.js'
import { type Endpoint, isOfService, OTHER } from '../emulator/endpoint.js'
import type { FaultRoute, Faults } from '../emulator/faults.js'
import type { RequestFacts } from '../emulator/request-facts.js'
import { FAULT_HEADER, type RequestTrace } from '../ground/request-trace.js'
import { sendAs } from './answers.js'
import {
  BYTE_PAUSE_MS,
  closeInTurn,
  cutInTurn,
  resetInTurn,
  sendGarbageInTurn,
  sendSlowlyInTurn,
} from './broken-connections.js'
import { isUnknown } from './unknown-paths.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What an emulator has to know of this route to inject faults; without it only those that name the route. */
    endpoint?: Endpoint
  }
}

/** Injects the faults of an emulator: before the handler, at the steps that it passes, or into its answer. */
export const faultInjection = fp(async (app: FastifyInstance, { faults }: { faults: Faults }) => {
  const active = new Set<ActiveFault>()
  const routes: { readonly url: string; readonly config?: { readonly endpoint?: Endpoint } }[] = []
  app.addHook('onRoute', route => {
    if (route.config?.isUnknownPath !== true) routes.push(route)
  })
  faults.knowRoutes(() => routes.map(({ url, config }) => ({ url, endpoint: config?.endpoint ?? OTHER })))
  const connections = app.hasDecorator('connections') ? app.connections : undefined

  // After the body is parsed, and before the handler.
  app.addHook('preHandler', (request, reply, next) => {
    const { url, config } = request.routeOptions
    const endpoint = config.endpoint ?? OTHER
    if (url === undefined || isUnknown(request) || !faults.mayActOn(request, endpoint)) return next()
    inject(request, reply, { url, endpoint }).then(isAnswered => {
      if (!isAnswered) next()
    }, next)
  })

  /** Whether the request needs no handler any more. */
  async function inject(request: FastifyRequest, reply: FastifyReply, route: FaultRoute): Promise<boolean> {
    const chosen = await faults.choose(request, route)
    const { trace } = request
    if (chosen === undefined || trace === undefined) return false
    const { fault, delay, facts } = chosen
    trace.fault = fault
    active.add(fault)
    reply.raw.once('close', () => {
      active.delete(fault)
      fault.end()
    })
    if (isDelayAlone(fault)) fault.act()
    if (delay > 0) await fault.sleep(delay)
    if (request.raw.socket.destroyed) {
      // The caller did not wait so long, and nothing is done for it.
      await describe(trace, facts)
      fault.act()
      reply.hijack()
      return true
    }
    if (isInPlaceOfHandler(fault, route.endpoint)) {
      await describe(trace, facts)
      fault.act()
      answer(fault, reply)
      return true
    }
    await fault.arrive()
    // The key storage knows its account before the body is read.
    if (trace.step !== undefined) await fault.after(trace.step)
    return false
  }

  function answer({ effect, ending }: ActiveFault, reply: FastifyReply): void {
    const { status, connection } = effect
    if (connection === undefined) {
      if (status === undefined) sendAs(reply.code(503), 'application/json', UNREADY)
      else sendStatus(reply, { ...effect, status })
      return
    }
    reply.hijack()
    if (connection === 'reset') resetInTurn(reply.raw, connections)
    else if (connection === 'close') closeInTurn(reply.raw)
    else if (connection === 'garbage') sendGarbageInTurn(reply.raw)
    else if (ending.aborted) closeInTurn(reply.raw)
    else ending.addEventListener('abort', () => closeInTurn(reply.raw), { once: true })
  }

  app.addHook('onSend', (request, reply, payload, next) => {
    const { trace } = request
    const fault = trace?.fault
    if (trace === undefined || !(fault instanceof ActiveFault)) return next()
    const breaks = breaksAnswer(fault, reply)
    if (breaks) fault.act()
    fault.giveBack()
    if (!fault.hasActed) {
      trace.fault = undefined
      return next()
    }
    reply.header(FAULT_HEADER, fault.id)
    // Fastify does not send a broken answer: `next` is not called then.
    if (breaks) sendBroken(reply, payload, fault).catch(next)
    else next()
  })

  app.addHook('preClose', async () => {
    for (const fault of active) fault.end()
  })
})

/** For the journal: what the handler would have found out, which never gets the request. */
async function describe(trace: RequestTrace, facts: RequestFacts): Promise<void> {
  if (!isOfService(facts.endpoint)) return
  trace.environment = facts.environment
  trace.drm = facts.drm
  trace.customerId = await facts.customer()
}

const UNREADY = JSON.stringify({ status: 'the database does not answer' })

function isInPlaceOfHandler({ effect }: ActiveFault, { kind }: Endpoint): boolean {
  const { status, connection, database } = effect
  if (connection !== undefined) return connection !== 'cut' && connection !== 'slow'
  return status !== undefined || (kind === 'readiness' && database === 'down')
}

function isDelayAlone({ effect: { errorCode, status, connection, database, token, lost } }: ActiveFault): boolean {
  return [errorCode, status, connection, database, token, lost].every(one => one === undefined)
}

interface StatusEffect {
  readonly status: number
  readonly retryAfter?: number | undefined
  readonly body?: string | undefined
  readonly contentType?: string | undefined
}

function sendStatus(reply: FastifyReply, { status, retryAfter, body, contentType = 'text/plain' }: StatusEffect): void {
  reply.code(status)
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  if (body === undefined) reply.send()
  else sendAs(reply, contentType, body)
}

/** Only an answer can be lost that says that the request succeeded. */
function breaksAnswer({ effect: { connection, lost } }: ActiveFault, { statusCode }: FastifyReply): boolean {
  return connection === 'cut' || connection === 'slow' || (lost === true && statusCode < 400)
}

/** The answer as the handler meant it, but not as it arrives. */
async function sendBroken(reply: FastifyReply, payload: unknown, fault: ActiveFault): Promise<void> {
  if (fault.effect.lost) return closeInTurn(reply.raw)
  const body = await bytesOf(payload)
  const head = { status: reply.statusCode, headers: { ...reply.getHeaders(), 'content-length': body.length } }
  if (fault.effect.connection === 'cut') return cutInTurn(reply.raw, head, body)
  const pace = { pause: () => fault.sleep(BYTE_PAUSE_MS), hasEnded: () => fault.ending.aborted }
  sendSlowlyInTurn(reply.raw, head, body, pace)
}

async function bytesOf(payload: unknown): Promise<Buffer> {
  if (payload === undefined || payload === null) return Buffer.alloc(0)
  if (Buffer.isBuffer(payload)) return payload
  if (!(payload instanceof Readable)) return Buffer.from(String(payload))
  const parts: Buffer[] = []
  for await (const part of payload) parts.push(Buffer.from(part))
  return Buffer.concat(parts)
}
