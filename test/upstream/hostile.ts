import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions, Server as TlsServer } from 'node:tls'
import type { Test } from 'tap'

/** A token request that has arrived whole. */
export interface Arrival {
  readonly socket: Socket
  readonly head: string
  readonly form: URLSearchParams
  /** Its bytes, as latin1. */
  readonly body: string
  /** How many arrived on the same connection before it. */
  readonly before: number
}

/** What the upstream does with a request. */
export type Behaviour = (arrival: Arrival) => void

/** An upstream on raw sockets, which does whatever it is told to. */
export class HostileUpstream {
  readonly arrivals: Arrival[] = []
  /** How many connections there were. */
  connections = 0
  behave: Behaviour
  /** Instead of reading: what becomes of a connection. */
  onConnection: ((socket: Socket) => void) | undefined
  /** Told of each connection before anything else, TLS among it. */
  onHandshake: ((socket: Socket) => void) | undefined
  readonly #server: Server
  readonly #isTls: boolean
  readonly #sockets = new Set<Socket>()
  #port = 0

  constructor(behave: Behaviour, tls: TlsOptions | undefined) {
    this.behave = behave
    const connected = (socket: Socket) => this.#connected(socket)
    this.#server = tls === undefined ? createServer(connected) : createTlsServer(tls, connected)
    this.#isTls = tls !== undefined
    this.#server.on('tlsClientError', () => {})
    this.#server.prependListener('connection', socket => this.onHandshake?.(socket))
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    return `${this.#isTls ? 'https' : 'http'}://127.0.0.1:${this.#port}`
  }

  /** How often requests with this cookie arrived. */
  arrivalsOf(cookie: string): number {
    return this.arrivals.filter(({ form }) => form.get('cookie') === cookie).length
  }

  async listen(port = 0): Promise<void> {
    await once(this.#server.listen(port, '127.0.0.1'), 'listening')
    const address = this.#server.address() as AddressInfo // of a TCP server
    this.#port = address.port
  }

  /** From now on it shows this certificate; what is connected must connect anew. */
  certify(certificate: TlsOptions): void {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext(certificate)
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Breaks all connections, as when the process ends. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (this.#server.listening) await once(this.#server.close(), 'close')
  }

  #connected(socket: Socket): void {
    this.connections += 1
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => {})
    if (this.onConnection !== undefined) this.onConnection(socket)
    else this.#read(socket)
  }

  #read(socket: Socket): void {
    let bytes = ''
    let before = 0
    socket.on('data', chunk => {
      bytes += chunk.toString('latin1')
      const [, head, rest = ''] = /^(.*?\r\n)\r\n(.*)$/s.exec(bytes) ?? []
      if (head === undefined) return
      // A GET has none.
      const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1] ?? 0)
      if (rest.length < length) return
      bytes = rest.slice(length)
      const body = rest.slice(0, length)
      const arrival = { socket, head, form: new URLSearchParams(body), body, before }
      before += 1
      this.arrivals.push(arrival)
      this.behave(arrival)
    })
  }
}

export async function startHostile(t: Test, behave: Behaviour, tls?: TlsOptions): Promise<HostileUpstream> {
  const upstream = new HostileUpstream(behave, tls)
  await upstream.listen()
  t.teardown(() => upstream.stop())
  return upstream
}

/** A token in the form of the real ones; the number makes it one of its own. The last digit has no spare bits. */
export function tokenNumber(number: number): string {
  return `AQAAAAM7${String(number).padStart(24, '0')}${'x'.repeat(138)}w`
}

let issued = 0

export function issuedBody(token = tokenNumber(issued++)): string {
  return JSON.stringify({ licenseAcquisitionUrl: 'https://pr.example.com/playready/RightsManager.asmx', token })
}

export function answerOf(body: string, { status = '200 OK', type = 'application/json', headers = '' } = {}): string {
  return `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`
}

/** Says this, and keeps the connection. */
export function says(answer: string): Behaviour {
  return ({ socket }) => void socket.write(answer)
}

/** Says this, and that is the end of the connection. */
export function ends(answer: string): Behaviour {
  return ({ socket }) => void socket.end(answer)
}

export const issues: Behaviour = ({ socket }) => void socket.write(answerOf(issuedBody()))
export const resets: Behaviour = ({ socket }) => void socket.resetAndDestroy()
export const hangs: Behaviour = () => {}

/** A body that comes byte by byte and would take minutes. */
export const drips: Behaviour = ({ socket }) => {
  const answer = answerOf(issuedBody())
  let sent = answer.length - 150
  socket.write(answer.slice(0, sent))
  const timer = setInterval(() => socket.write(answer[sent++] ?? ''), 50)
  socket.on('close', () => clearInterval(timer))
}

/** The https URL of a host that takes connections and says nothing on them. */
export async function startSilent(t: Test): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => void sockets.add(socket.on('error', () => {}))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}` // of a TCP server
}
