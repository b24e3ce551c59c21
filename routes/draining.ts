import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { sendRefusal } from './answers.js'

/**
 * A shutdown that answers what is under way and waits for nothing else: new requests are refused, and connections
 * that carry none are let go of, be they kept alive, opened in advance, or silent after half a request's head.
 */
export const draining = fp(async (app: FastifyInstance) => {
  /** By their peers: on a TLS server the socket that carries requests is another than the one that was accepted. */
  const connections = new Map<string, Socket>()
  /** How many requests each connection still waits for: a client may send the next before it has the answer. */
  const busy = new Map<Socket, number>()
  let isDraining = false

  const keep = (socket: Socket) => {
    const peer = peerOf(socket)
    connections.set(peer, socket)
    socket.once('close', () => {
      if (connections.get(peer) === socket) connections.delete(peer)
      busy.delete(socket)
    })
  }
  app.server.on('connection', keep)
  app.server.on('secureConnection', keep)

  app.addHook('onRequest', (request, _reply, next) => {
    const { socket } = request.raw
    busy.set(socket, (busy.get(socket) ?? 0) + 1)
    next()
  })

  // When every plugin has said in which form its endpoints refuse.
  app.addHook('preParsing', (request, reply, _payload, next) => {
    if (!isDraining) return next()
    const refusal = { status: 503, code: 503, message: 'The server is shutting down' }
    sendRefusal(request, reply.header('connection', 'close'), refusal)
  })

  app.addHook('onResponse', (request, _reply, next) => {
    const { socket } = request.raw
    const others = (busy.get(socket) ?? 1) - 1
    if (others > 0) busy.set(socket, others)
    else busy.delete(socket)
    if (isDraining && others <= 0) socket.end()
    next()
  })

  app.addHook('preClose', async () => {
    isDraining = true
    for (const socket of connections.values()) if (!busy.has(socket)) socket.destroy()
  })
})

function peerOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
