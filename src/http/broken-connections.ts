import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { HttpConnections } from './http-connections.js'

/** How long a slow answer waits between its bytes. */
export const BYTE_PAUSE_MS = 10

/** Bytes that no HTTP parser takes for the start of an answer. */
const GARBAGE = Buffer.from('16030100ff00deadbeef7f454c46fffe000d0a0d0a', 'hex')

/** Calls back with the socket when the answers before this one are sent: requests may be pipelined. */
export function inTurn(response: ServerResponse, act: (socket: Socket) => void): void {
  if (response.socket !== null) act(response.socket)
  else response.once('socket', act)
}

/** Ends the connection without an answer: with a FIN, which comes behind what was written. */
export function closeInTurn(response: ServerResponse): void {
  inTurn(response, endConnection)
}

/** Ends the connection without an answer: with a RST. */
export function resetInTurn(response: ServerResponse, connections: HttpConnections | undefined): void {
  inTurn(response, socket => {
    if (socket.writableLength === 0) reset(socket, connections)
    else socket.write(NOTHING, () => reset(socket, connections))
  })
}

const NOTHING = Buffer.alloc(0)

function reset(socket: Socket, connections: HttpConnections | undefined): void {
  // Under TLS the connection is another socket.
  const carrier = connections?.carrierOf(socket) ?? socket
  if (carrier instanceof Socket && !(carrier instanceof TLSSocket)) carrier.resetAndDestroy()
  // At once, or a FIN would come before the RST.
  carrier.destroy()
  socket.destroy()
}

export function sendGarbageInTurn(response: ServerResponse): void {
  inTurn(response, socket => {
    socket.write(GARBAGE)
    endConnection(socket)
  })
}

/** Sends the head that was meant for `body`, and half of it. */
export function cutInTurn(response: ServerResponse, head: AnswerHead, body: Buffer): void {
  inTurn(response, socket => {
    writeHead(response, head)
    response.write(body.subarray(0, Math.floor(body.length / 2)))
    endConnection(socket)
  })
}

export interface AnswerHead {
  readonly status: number
  readonly headers: Readonly<Record<string, number | string | string[] | undefined>>
}

/** Sends the body a byte at a time. */
export function sendSlowlyInTurn(response: ServerResponse, head: AnswerHead, body: Buffer, pace: Pace): void {
  inTurn(response, () => {
    writeHead(response, head)
    sendBytes(response, body, pace).catch(() => response.destroy())
  })
}

export interface Pace {
  /** Resolves when the next byte is due. */
  pause(): Promise<void>
  /** Whether nobody waits for more. */
  hasEnded(): boolean
}

async function sendBytes(response: ServerResponse, body: Buffer, { pause, hasEnded }: Pace): Promise<void> {
  for (let at = 0; at < body.length; at += 1) {
    if (hasEnded()) return void response.destroy()
    response.write(body.subarray(at, at + 1))
    await pause()
  }
  response.end()
}

function writeHead(response: ServerResponse, { status, headers }: AnswerHead): void {
  const set = Object.entries(headers).filter(([, value]) => value !== undefined)
  response.writeHead(status, Object.fromEntries(set))
}

function endConnection(socket: Socket): void {
  // An injected request has a socket without this.
  if (socket instanceof Socket) socket.destroySoon()
  else (socket as Socket).destroy()
}
