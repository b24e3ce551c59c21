import type { RequestListener, ServerOptions } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { ServedCertificates } from '../certificates/served-certificates.js'

const HANDSHAKE_MS = 10_000

/** HTTP/1.1 over TLS, with the certificates that are current at each handshake. */
export function tlsServer(certificates: ServedCertificates, options: ServerOptions, handler: RequestListener): Server {
  const server = createServer(
    {
      ...options,
      ...certificates.current,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: HANDSHAKE_MS,
      SNICallback: (name, answer) => {
        certificates.contextFor(name).then(
          context => answer(null, context),
          error => answer(error),
        )
      },
    },
    handler,
  )
  // HTTP would answer a failed handshake.
  server.removeAllListeners('tlsClientError')
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  certificates.onRenewal(() => server.setSecureContext(certificates.current))
  return server
}
