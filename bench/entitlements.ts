import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fetch, Pool } from 'undici'
import { Authority, type KeyPair } from '../src/certificates/authority.js'
import type { Databases } from './databases.js'
import { alternate, PLAN, type Target } from './load.js'
import { startProcess, startService } from './processes.js'
import { p99Row, rateRows } from './rate-rows.js'
import { atMost, type Row } from './table.js'

const CONTENTS = 100_000
/** Requests ask for this many of them, in turn. */
const ASKED = 1000
const DAY = 86_400_000

/** Decisions per second over mutual TLS that is kept alive, beside a route behind it that does nothing. */
export async function benchEntitlements(databases: Databases): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'entitlements-'))
  try {
    return await measure(folder, databases)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function measure(folder: string, databases: Databases): Promise<Row[]> {
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
  const sqlite = await startService(databases.sqlite(), { settings, savesMemory: false })
  const milliseconds = performance.now() - began

  const answer = await allowed(`${sqlite.url}/entitlement`, bodies[0] ?? '', tls)
  const bare = await startProcess('bare-tls.js', answer, server.key, server.cert, authority.cert)
  const postgres = await startService(await databases.postgres(), { settings, savesMemory: false })
  const target = ({ url }: { url: string }): Target => ({ url: `${url}/entitlement`, bodies, tls })
  const [base, name] = ['bare Fastify, mutual TLS (loaded by autocannon)', 'entitlements, SQLite'] as const
  const measured = await alternate(
    { [base]: target(bare), [name]: target(sqlite), 'entitlements, PostgreSQL': target(postgres) },
    // A TLS connection takes longer to open.
    { ...PLAN, seconds: 4 },
  )
  for (const one of [bare, sqlite, postgres]) await one.stop()
  return [
    {
      what: `start with a catalogue of ${CONTENTS.toLocaleString('en')} contents`,
      measured: `${milliseconds.toFixed(0)} ms`,
      target: atMost(2000, milliseconds, 'ms'),
    },
    ...rateRows(measured, { [name]: 0.55 }),
    p99Row(name, measured[name], ['bare Fastify, mutual TLS', measured[base]]),
  ]
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
