import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** A real service's transaction log that answers when it is told to. */
export async function heldLog(t: Test) {
  const held: ServerResponse[] = []
  let arrived = () => {}
  const server = createServer((_request, response) => {
    held.push(response)
    arrived()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // of a TCP server
  return {
    url: `http://127.0.0.1:${port}`,
    /** Resolves when the next request is there, with what answers it. */
    asked: async () => {
      if (held.length === 0)
        await new Promise<void>(resolve => {
          arrived = resolve
        })
      const response = held.shift()
      return (events: unknown[]) => void response?.end(JSON.stringify({ events }))
    },
  }
}
