import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { Turn } from '../ground/turn.js'

/** Requests of one connection that are answered at the same time. The next ones wait, and the socket is not read. */
const MOST_IN_FLIGHT = 16

/**
 * Requests that wait, on all connections together. Node parses what one read brings to its end, and 64 KiB hold 2,400
 * of the shortest.
 */
const MOST_WAITING = 4096

/** Answers what is no request; `unfinished` is the request whose body is at fault. */
export type Refuse = (unfinished: IncomingMessage | undefined) => void

/** The connections of an application's servers: how much one may ask at once, and what becomes of it when it ends. */
export class HttpConnections {
  /** By their peers: on a TLS server the socket that carries requests is another than the one that was accepted. */
  readonly #sockets = new Map<string, Socket>()
  readonly #connections = new WeakMap<Socket, Connection>()
  readonly #carriers = new WeakMap<Socket, Socket>()
  readonly #shared: Shared

  constructor(handle: RequestListener) {
    this.#shared = { turn: new Turn(([request, response]) => handle(request, response)), waiting: 0, isDraining: false }
  }

  get isDraining(): boolean {
    return this.#shared.isDraining
  }

  /** For a server's `request` event. */
  readonly listener: RequestListener = (request, response) => this.#of(request.socket).take(request, response)

  /** Watches a server. Node destroys no idle connection of it by itself any more. */
  watch(server: Server): void {
    const keep = (socket: Socket) => {
      const peer = peerOf(socket)
      this.#sockets.set(peer, socket)
      socket.once('close', () => {
        if (this.#sockets.get(peer) === socket) this.#sockets.delete(peer)
      })
    }
    server.on('connection', keep)
    server.on('secureConnection', (socket: Socket) => {
      const accepted = this.#sockets.get(peerOf(socket))
      if (accepted !== undefined) this.#carriers.set(socket, accepted)
      keep(socket)
    })
    server.on('timeout', (socket: Socket) => {
      // A head or a body that does not arrive has a time limit of its own, and so has the work on a request.
      const isIdle = socket.timeout !== server.timeout
      if (isIdle || socket.writableLength > 0) socket.destroy()
    })
  }

  /** Of a socket that speaks TLS, the one that it was accepted as. */
  carrierOf(socket: Socket): Socket | undefined {
    return this.#carriers.get(socket)
  }

  /** Answers what is no request when the requests before it are answered. Nothing behind it is read. */
  refuse(socket: Socket, refuse: Refuse): void {
    this.#of(socket).refuse(refuse)
  }

  /** From now on a connection ends with its last answer; those that carry no request end at once. */
  drain(): void {
    this.#shared.turn.runNow() // what is read already is not refused
    this.#shared.isDraining = true
    for (const socket of this.#sockets.values()) if (this.#connections.get(socket)?.isBusy !== true) socket.destroy()
  }

  #of(socket: Socket): Connection {
    const known = this.#connections.get(socket)
    if (known !== undefined) return known
    const connection = new Connection(socket, this.#shared)
    this.#connections.set(socket, connection)
    return connection
  }
}

type Exchange = readonly [request: IncomingMessage, response: ServerResponse]

interface Shared {
  readonly turn: Turn<Exchange>
  waiting: number
  isDraining: boolean
}

class Connection {
  readonly #socket: Socket
  readonly #shared: Shared
  readonly #inFlight = new Set<ServerResponse>()
  readonly #waiting: Exchange[] = []
  #isBroken = false
  #refuse: Refuse | undefined
  #isPaused = false
  #isNew = true

  constructor(socket: Socket, shared: Shared) {
    this.#socket = socket
    this.#shared = shared
    // Node resumes the socket whenever a body is read.
    socket.on('resume', () => {
      if (this.#isPaused) socket.pause()
    })
    socket.once('close', () => this.#close())
  }

  get isBusy(): boolean {
    return this.#inFlight.size > 0 || this.#waiting.length > 0 || this.#refuse !== undefined
  }

  take(request: IncomingMessage, response: ServerResponse): void {
    const isFull = this.#isFull
    if (isFull && this.#shared.waiting >= MOST_WAITING) this.#socket.destroy()
    if (this.#socket.destroyed) this.#abandon(request, response)
    else if (!isFull) this.#begin(request, response)
    else {
      this.#waiting.push([request, response])
      this.#shared.waiting += 1
      this.#pause()
    }
  }

  refuse(refuse: Refuse): void {
    // The parser repeats its error for whatever still comes.
    if (this.#isBroken) return
    this.#isBroken = true
    this.#refuse = refuse
    this.#pause()
    // The turn that has read it handles the requests before it first.
    setImmediate(() => this.#refuseInTurn())
  }

  /** Also while an answer waits for its reader: those behind it would only gather in memory. */
  get #isFull(): boolean {
    return this.#inFlight.size >= MOST_IN_FLIGHT || (this.#inFlight.size > 0 && this.#socket.writableNeedDrain)
  }

  #begin(request: IncomingMessage, response: ServerResponse): void {
    this.#inFlight.add(response)
    response.once('close', () => this.#ended(response))
    if (this.#inFlight.size >= MOST_IN_FLIGHT) this.#pause()
    this.#shared.turn.add([request, response])
    // When the first request is read TLS sends its session tickets. An injected reset has to come before them: behind data
    // many clients see the end of the connection and no reset.
    if (this.#isNew && this.#socket instanceof TLSSocket) this.#shared.turn.runNow()
    this.#isNew = false
  }

  #ended(response: ServerResponse): void {
    this.#inFlight.delete(response)
    if (this.#socket.destroyed) return
    while (!this.#isFull) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      this.#shared.waiting -= 1
      this.#begin(...next)
    }
    if (this.#isBroken) this.#refuseInTurn()
    else if (this.#shared.isDraining && !this.isBusy) this.#socket.end()
    else if (this.#isPaused && this.#waiting.length === 0 && !this.#isFull) {
      this.#isPaused = false
      this.#socket.resume()
    }
  }

  #refuseInTurn(): void {
    const [response, another] = this.#inFlight
    if (another !== undefined || this.#waiting.length > 0) return
    // Only the last request can lack a part of its body; one that is answered all the same does not need it.
    if (response?.req.complete === true || response?.headersSent === true) return
    const refuse = this.#refuse
    this.#refuse = undefined
    refuse?.(response?.req)
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#socket.pause()
  }

  #close(): void {
    for (const response of this.#inFlight) closeUnsent(response)
    this.#shared.waiting -= this.#waiting.length
    for (const [request, response] of this.#waiting.splice(0)) this.#abandon(request, response)
  }

  /** The client is gone: the handler only records that there was a request. */
  #abandon(request: IncomingMessage, response: ServerResponse): void {
    closeUnsent(response)
    this.#shared.turn.add([request, response])
  }
}

/**
 * When a connection ends, Node closes the current response but not those queued behind it, whose files would stay open.
 * Assigning them an ended socket closes them.
 */
function closeUnsent(response: ServerResponse): void {
  if (response.socket !== null) return
  const ended = new Socket()
  ended.destroy()
  response.assignSocket(ended)
}

function peerOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
