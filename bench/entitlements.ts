import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fetch, Pool } from 'undici'
import { Authority, type KeyPair } from '../src/certificates/authority.js'
import type { Databases } from './databases.js'
import { alternate, type Target } from './load.js'
import { startProcess, startService } from './processes.js'
import { print } from './report.js'

const CONTENTS = 100_000
/** So many of them are asked for in turn. */
const ASKED = 1000
const DAY = 86_400_000

/** Decisions per second over kept-alive mutual TLS, side by side with a route behind it that does nothing. */
export async function benchEntitlements(options: {
  readonly isQuick: boolean
  readonly databases: Databases
}): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'entitlements-'))
  try {
    await measure(folder, options)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function measure(folder: string, { isQuick, databases }: { isQuick: boolean; databases: Databases }) {
  const { authority, server, client } = await certificates()
  const contentIDs = writeCatalogue(join(folder, 'catalogue.json'))
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const settings = {
    ENTITLEMENT_PORT: 0,
    ENTITLEMENT_TLS_CERT: file('server.pem', server.cert),
    ENTITLEMENT_TLS_KEY: file('server.key.pem', server.key),
    ENTITLEMENT_CLIENT_CA: file('ca.pem', authority.cert),
    CATALOGUE_FILE: join(folder, 'catalogue.json'),
  }
  const tls = { ca: authority.cert, cert: client.cert, key: client.key }
  const bodies = contentIDs.slice(0, ASKED).map(contentID => requestFor(contentID))

  const began = performance.now()
  const sqlite = await startService(databases.sqlite(), { settings })
  const milliseconds = Math.round(performance.now() - began)
  print(`Start with a catalogue of ${CONTENTS} contents`, `${milliseconds} ms`, 'under 2000 ms')

  const answer = await allowed(`${sqlite.url}/entitlement`, bodies[0] ?? '', tls)
  const servers = {
    'Bare route behind mutual TLS': await startProcess('bare-tls.js', answer, server.key, server.cert, authority.cert),
    'Entitlements, SQLite': sqlite,
    'Entitlements, PostgreSQL': await startService(await databases.postgres(), { settings }),
    'Entitlements, in memory': await startService('memory:', { settings }),
  }
  const targets: Target[] = Object.entries(servers).map(([name, { url }]) => ({
    name,
    url: `${url}/entitlement`,
    bodies,
    tls,
  }))
  const plan = { connections: 64, seconds: isQuick ? 2 : 5, warmUpSeconds: 2, rounds: isQuick ? 3 : 5 }
  const measured = await alternate(targets, plan)
  const [bare = Number.NaN] = [...measured.values()].map(({ perSecond }) => perSecond)
  for (const [name, { perSecond, p50, p99 }] of measured) {
    const ratio = (perSecond / bare).toFixed(2)
    print(name, `${Math.round(perSecond)} a second = ${ratio}, p50 ${p50} ms, p99 ${p99} ms`, 'at least 0.50')
  }
  for (const one of Object.values(servers)) await one.stop()
}

async function certificates(): Promise<{ authority: Authority; server: KeyPair; client: KeyPair }> {
  const validity = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + DAY) }
  const authority = await Authority.create('CN=Benchmark', validity)
  const server = await authority.issue({
    ...validity,
    subject: 'CN=server',
    names: ['IP:127.0.0.1', 'DNS:localhost'],
    usages: ['server'],
  })
  const client = await authority.issue({ ...validity, subject: 'CN=client', names: [], usages: ['client'] })
  return { authority, server, client }
}

/** As a customer's has it: a few policies that all contents share, and keys of their own. */
function writeCatalogue(path: string): string[] {
  const opls = {
    analogVideoOPL: 150,
    compressedDigitalAudioOPL: 250,
    compressedDigitalVideoOPL: 500,
    uncompressedDigitalAudioOPL: 250,
    uncompressedDigitalVideoOPL: 270,
  }
  const contents = Array.from({ length: CONTENTS }, (_, index) => ({
    contentID: randomUUID(),
    keys: [{ kid: randomUUID().replaceAll('-', ''), contentKey: randomUUID().replaceAll('-', '') }],
    policy: index % 2 === 0 ? 'hd' : { rightsType: 'BuyToOwn', ...opls },
    duration: 3600,
    viewers: 'everyone',
  }))
  const policies = { hd: { rightsType: 'BuyToOwn', ...opls } }
  writeFileSync(path, JSON.stringify({ policies, contents }, null, 2))
  return contents.map(({ contentID }) => contentID)
}

function requestFor(contentID: string): string {
  return JSON.stringify({
    messageID: randomUUID(),
    version: 1,
    requestType: 1,
    contentID,
    customerCookie: 'viewer-4711',
  })
}

/** What the service answers, which has to be a grant: refusals would be fast. */
async function allowed(url: string, body: string, tls: NonNullable<Target['tls']>): Promise<string> {
  const dispatcher = new Pool(new URL(url).origin, { connect: tls })
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body, dispatcher })
  const text = await response.text()
  await dispatcher.close()
  if (!(JSON.parse(text) as { isAllowed: boolean }).isAllowed) throw new Error(`not allowed: ${text}`) // documented
  return text
}
