import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import type { Test } from 'tap'

export interface Sides {
  readonly ca: string
  readonly server: { readonly cert: string; readonly key: string }
  readonly client: { readonly cert: string; readonly key: string }
  /** What the client looks for in the server's certificate. */
  readonly host: string
}

/** What each side found of the other over real TLS: the common name of the client, or why it would be refused. */
export async function handshake(t: Test, { ca, server, client, host }: Sides) {
  // Neither side hangs up, so that both tell.
  const listener = createServer({ ca, ...server, requestCert: true, rejectUnauthorized: false }).listen(0, '127.0.0.1')
  t.teardown(() => void listener.close())
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo // it listens on a port
  const asked = connect({ ca, ...client, port, host: '127.0.0.1', rejectUnauthorized: false, ...named(host) })
  const [[answering]] = await Promise.all([
    once(listener, 'secureConnection') as Promise<[TLSSocket]>, // Node's type
    once(asked, 'secureConnect'),
  ])
  const found = {
    client: answering.authorized ? answering.getPeerCertificate().subject.CN : `${answering.authorizationError}`,
    server: asked.authorized ? 'accepted' : `${asked.authorizationError}`,
  }
  asked.destroy()
  answering.destroy()
  return found
}

/** An address is no server name, and is looked for in the certificate all the same. */
function named(host: string) {
  return /^[\d.]+$/.test(host) ? {} : { servername: host }
}
