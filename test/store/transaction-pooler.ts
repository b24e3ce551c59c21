import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

const GREETING_MS = 20_000

/**
 * A pooler as PgBouncer is with pool_mode=transaction: all its clients share one session of the server, in turns, and what
 * a client opens its connection with is swallowed. Answers the database's URL by way of it.
 */
export async function startTransactionPooler(t: Test, databaseUrl: string): Promise<string> {
  const target = new URL(databaseUrl)
  const server = connect(Number(target.port), target.hostname)
  server.write(startupOf({ user: target.username, database: target.pathname.slice(1) }))
  const greeting = await readUntilReady(server)
  const waiting: { readonly client: Socket; readonly bytes: Buffer }[] = []
  let served: Socket | undefined

  const next = () => {
    if (served !== undefined) return
    const turn = waiting.shift()
    if (turn === undefined) return
    served = turn.client
    server.write(turn.bytes)
  }
  server.on('data', (bytes: Buffer) => {
    served?.write(bytes)
    if (!isReady(bytes)) return
    served = undefined
    next()
  })
  const clients = new Set<Socket>()
  const listener = createServer(client => {
    clients.add(client)
    client.on('error', () => {})
    client.once('data', () => {
      client.write(greeting)
      client.on('data', (bytes: Buffer) => {
        if (bytes[0] === TERMINATE) return
        if (served === client) server.write(bytes)
        else waiting.push({ client, bytes })
        next()
      })
    })
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  t.teardown(() => {
    for (const client of clients) client.destroy()
    server.destroy()
    listener.close()
  })
  const { port } = listener.address() as AddressInfo // of a TCP server
  return Object.assign(new URL(databaseUrl), { host: `127.0.0.1:${port}` }).href
}

const TERMINATE = 'X'.charCodeAt(0)
const PROTOCOL_3 = 196_608

function startupOf(parameters: Record<string, string>): Buffer {
  const text = Buffer.from(`${Object.entries(parameters).flat().join('\0')}\0\0`)
  const head = Buffer.alloc(8)
  head.writeInt32BE(8 + text.length)
  head.writeInt32BE(PROTOCOL_3, 4)
  return Buffer.concat([head, text])
}

/** A server that waits for the next transaction says so last: ReadyForQuery, five bytes long, idle. */
function isReady(bytes: Buffer): boolean {
  return bytes.subarray(-6).equals(Buffer.from('Z\0\0\0\x05I', 'latin1'))
}

async function readUntilReady(server: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  const signal = AbortSignal.timeout(GREETING_MS)
  while (!isReady(Buffer.concat(chunks))) chunks.push(...((await once(server, 'data', { signal })) as Buffer[])) // Node's type
  return Buffer.concat(chunks)
}
