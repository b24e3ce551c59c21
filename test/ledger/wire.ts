import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'
import { eventually } from './load.js'

/** The wire between a service and its database server, which can go dead without either end noticing. */
export interface Wire {
  /** The database's URL, by way of the wire. */
  readonly url: string
  /** From now on nothing passes, and nobody is told; new connections are taken and stay as silent. */
  hang(): void
  /** The same, beginning when one connection has carried these texts, in this order; resolves then. */
  hangAt(...texts: readonly string[]): Promise<void>
  /** What was held up passes, as when a cable is back in its socket. */
  release(): void
  /** What hangs stays silent for ever, as when a firewall has forgotten it; new connections work. */
  forget(): void
  /** Breaks what hangs; new connections work. */
  break(): void
}

export async function startWire(t: Test, databaseUrl: string): Promise<Wire> {
  const target = new URL(databaseUrl)
  const links = new Set<Link>()
  let isHanging = false
  let watch = (_link: Link, _bytes: Buffer) => {}

  const listener = createServer(near => {
    const far = connect(Number(target.port), target.hostname)
    const link: Link = new Link(near, far, bytes => watch(link, bytes))
    if (isHanging) link.hang()
    links.add(link)
    near.on('close', () => links.delete(link))
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  t.teardown(() => {
    for (const link of links) link.break()
    listener.close()
  })

  function hang(): void {
    isHanging = true
    for (const link of links) link.hang()
  }
  function untilNow(act: (link: Link) => void): void {
    isHanging = false
    for (const link of links) act(link)
  }
  const { port } = listener.address() as AddressInfo // of a TCP server
  return {
    url: Object.assign(new URL(databaseUrl), { host: `127.0.0.1:${port}` }).href,
    hang,
    hangAt: async (...texts) => {
      const carried = new Map<Link, number>()
      watch = (link, bytes) => {
        let count = carried.get(link) ?? 0
        for (const text of texts.slice(count)) {
          if (!bytes.includes(text)) break
          count += 1
        }
        carried.set(link, count)
        if (count === texts.length && !isHanging) hang()
      }
      await eventually(() => isHanging, `"${texts.join('", "')}" on the wire`)
      watch = () => {}
    },
    release: () => untilNow(link => link.release()),
    forget: () => untilNow(() => {}),
    break: () => untilNow(link => link.break()),
  }
}

/** One connection, by way of the wire. */
class Link {
  readonly #ends: readonly Socket[]
  readonly #heldUp: { readonly to: Socket; readonly bytes: Buffer }[] = []
  readonly #watch: (bytes: Buffer) => void
  #isHanging = false

  constructor(near: Socket, far: Socket, watch: (bytes: Buffer) => void) {
    this.#ends = [near, far]
    this.#watch = watch
    this.#pass(near, far)
    this.#pass(far, near)
  }

  hang(): void {
    this.#isHanging = true
  }

  release(): void {
    this.#isHanging = false
    for (const { to, bytes } of this.#heldUp.splice(0)) to.write(bytes)
  }

  break(): void {
    for (const end of this.#ends) end.resetAndDestroy()
  }

  #pass(from: Socket, to: Socket): void {
    from.on('data', bytes => {
      this.#watch(bytes)
      if (this.#isHanging) this.#heldUp.push({ to, bytes })
      else to.write(bytes)
    })
    from.on('error', () => {})
    from.on('close', () => to.destroy())
  }
}
