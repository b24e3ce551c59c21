import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A bare node:http server that answers at once, whatever it is asked: a measure, and the upstream of the gateway. */
const answer = process.argv[2] ?? ''
const headers = { 'content-type': 'text/uri-list', 'content-length': Buffer.byteLength(answer) }
const server = createServer((request, response) => {
  request.resume().on('end', () => response.writeHead(200, headers).end(answer))
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo // it listens on TCP
  process.send?.(`http://127.0.0.1:${port}`)
})
process.on('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
