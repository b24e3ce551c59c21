import { webcrypto, X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import t, { type Test } from 'tap'
import { Authority } from '../../src/certificates/authority.js'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  GeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '../../src/certificates/x509-library.js'
import { NOON, startTestServer } from '../harness.js'
import { authorityChain, type ChainParts } from './authority-chain.js'
import { CATALOGUE_TEXT } from './catalogue-text.js'
import { TestAuthority, type TestCertificateParts } from './certificates.js'
import {
  type AskedAnswer,
  ask as askOverTls,
  logged,
  path,
  QUESTION,
  received,
  refusedClients,
  startMutualTls,
  WARN,
} from './mutual-tls.js'

t.test('both forms of the header let a client in', async t => {
  const { url, authority } = await openProxyDoor(t)
  const { cert } = await authority.issue(VALID)
  for (const [form, header] of Object.entries(forms(cert))) t.match(await ask(url, header), { status: 200 }, form)
})

t.test('the header and its name are those of the proxy that is used', async t => {
  const { url, authority } = await openProxyDoor(t, { ENTITLEMENT_PROXY_HEADER: 'X-Amzn-Mtls-Clientcert' })
  const { cert } = await authority.issue(VALID)
  const { body, status } = await ask(url, rfc9440(cert))
  t.match({ body, status }, refused('no certificate'), 'the default one says nothing any more')
  t.match(await ask(url, rfc9440(cert), 'x-amzn-mtls-clientcert'), { status: 200 })
})

t.test('without a certificate that can be read nobody is let in', async t => {
  const { server, url, authority } = await openProxyDoor(t)
  const { cert, key } = await authority.issue(VALID)
  const der = new X509Certificate(cert).raw
  const unreadable: Record<string, string | string[]> = {
    'two headers': [rfc9440(cert), rfc9440(cert)],
    'two in one': `${rfc9440(cert)}, ${rfc9440(cert)}`,
    'a word': 'player',
    'base64 alone': der.toString('base64'),
    'other bytes': `:${Buffer.from('player').toString('base64')}:`,
    'cut off': `:${der.subarray(0, -1).toString('base64')}:`,
    'more after it': `:${Buffer.concat([der, Buffer.from('x')]).toString('base64')}:`,
    'PEM in base64': `:${Buffer.from(cert).toString('base64')}:`,
    'half a percent sign': `${encodeURIComponent(cert)}%2`,
    'another block': encodeURIComponent('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n'),
  }
  for (const [name, header] of Object.entries(unreadable))
    t.match(await ask(url, header), refused('unreadable certificate'), name)
  for (const header of [undefined, '', '-']) t.match(await ask(url, header), refused('no certificate'))
  const lines = await refusedClients(server, Object.keys(unreadable).length + 3)
  for (const line of lines) t.match(line, { level: WARN, address: '127.0.0.1' })
  server.keepSecret(key)
})

t.test('a certificate that a handshake would refuse is refused', async t => {
  const { server, url, authority } = await openProxyDoor(t)
  const foreign = await TestAuthority.create('Test authority')
  const wrong: [reason: string, authority: TestAuthority, parts: TestCertificateParts][] = [
    ['unknown authority', foreign, {}],
    ['expired', authority, { notBefore: new Date(NOON - 2000), notAfter: new Date(NOON - 1000) }],
    ['not yet valid', authority, { notBefore: new Date(NOON + 1000) }],
    ['not for clients', authority, { usage: 'server' }],
  ]
  for (const [reason, issuer, parts] of wrong) {
    const { cert } = await issuer.issue({ ...VALID, ...parts })
    t.match(await ask(url, rfc9440(cert)), refused(reason))
  }
  t.match(await ask(url, rfc9440(authority.cert)), refused('not for clients'), 'the authority itself')
  const told = wrong.map(([reason]) => ({ reason }))
  t.match(await logged(server, 'client refused', 5), [...told, { reason: 'not for clients' }])
  t.match((await logged(server, 'client refused'))[1], { subject: 'CN=player,O=Example', serial: String })
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  t.match(metrics, 'expressplay_entitlement_handshakes_refused_total{reason="not for clients"} 2')
})

t.test('only the clients that are named are let in', async t => {
  const { url, authority } = await openProxyDoor(t, { ENTITLEMENT_CLIENTS: 'CN=player;DNS:player.example' })
  for (const parts of [{}, { subject: 'CN=x', names: ['DNS:player.example'] }])
    t.match(await ask(url, rfc9440((await authority.issue({ ...VALID, ...parts })).cert)), { status: 200 })
  const { cert } = await authority.issue({ ...VALID, subject: 'CN=other' })
  t.match(await ask(url, rfc9440(cert)), refused('not allowed'))
})

t.test('from another address nothing counts, whatever the headers say of it', async t => {
  const { server, url, authority } = await openProxyDoor(t, {
    ENTITLEMENT_PROXIES: '10.0.0.0/8, ::1',
    TRUSTED_PROXIES: '127.0.0.1',
  })
  const { cert } = await authority.issue(VALID)
  const answer = await ask(url, rfc9440(cert), 'client-cert', {
    'x-forwarded-for': '10.0.0.1',
    forwarded: 'for=10.0.0.1',
  })
  t.match(answer, { ...refused('foreign address'), connection: 'close' })
  t.match(await logged(server, 'client refused'), [{ address: '127.0.0.1', reason: 'foreign address' }])
})

t.test('of the networks of the proxies any address counts', async t => {
  const { url, authority } = await openProxyDoor(t, { ENTITLEMENT_PROXIES: '10.0.0.1, 127.0.0.0/30' })
  t.match(await ask(url, rfc9440((await authority.issue(VALID)).cert)), { status: 200 })
})

t.test('authorities are renewed here, too', async t => {
  const { server, url, authority, caFile } = await openProxyDoor(t)
  const next = await TestAuthority.create('Next authority')
  const [old, renewed] = await Promise.all([authority.issue(VALID), next.issue(VALID)])
  writeFileSync(caFile, next.cert)
  await logged(server, 'client authorities renewed')
  t.match(await ask(url, rfc9440(old.cert)), refused('unknown authority'))
  t.match(await ask(url, rfc9440(renewed.cert)), { status: 200 })
})

t.test('an authority that was renewed with its key is one, in whatever order the file has both', async t => {
  const { server, url, caFile } = await openProxyDoor(t)
  const [ended, renewed] = await renewedAuthority()
  const { cert } = await renewed.issue({ subject: 'CN=player', names: [], usages: ['client'], ...DURING })
  for (const [count, both] of [[ended.cert, renewed.cert], [renewed.cert, ended.cert], [ended.cert]].entries()) {
    writeFileSync(caFile, both.join(''))
    await logged(server, 'client authorities renewed', count + 1)
    t.match(await ask(url, rfc9440(cert)), both.length === 2 ? { status: 200 } : refused('expired'))
  }
})

t.test('every certificate of the chain must be listed and in force here, too', async t => {
  const { server, url, caFile } = await openProxyDoor(t)
  const ended = new Date(NOON - 500)
  const cases = [
    [{}, true, { status: 200 }],
    [{}, false, refused('unknown authority')],
    [{ rootNotAfter: ended }, true, refused('expired')],
    [{ intermediateNotAfter: ended }, true, refused('expired')],
  ] as const
  for (const [count, [end, isListed, expected]] of cases.entries()) {
    const { root, intermediate, client } = await authorityChain({ ...DURING, ...end })
    writeFileSync(caFile, isListed ? root + intermediate : root)
    await logged(server, 'client authorities renewed', count + 1)
    t.match(await ask(url, rfc9440(client.cert)), expected)
    t.match(await ask(url, encodeURIComponent(client.cert + intermediate)), expected, 'with its chain')
  }
})

t.test(
  'a handshake refuses every chain that OpenSSL does not accept, and a proxy has to refuse some of them itself',
  async t => {
    const tls = await startMutualTls(t)
    const { server, url, caFile } = await openProxyDoor(t)
    let renewals = 0
    for (const [name, [parts, behindProxy]] of Object.entries(FAULTY_CHAINS)) {
      const { root, intermediate, client } = await authorityChain({ ...DURING_NOW, ...parts })
      renewals += 1
      for (const file of [tls.files.ca, caFile]) writeFileSync(file, root + intermediate)
      for (const { server: renewed } of [tls, { server }]) await logged(renewed, 'client authorities renewed', renewals)
      const asked = askOverTls(tls.url, { ca: tls.authority.cert, ...client })
      if (name === 'none') t.match(await asked, { status: 200 }, 'the handshake, with a chain that has no fault')
      else await t.rejects(asked, { code: 'ECONNRESET' }, `the handshake, ${name}`)
      t.match(await ask(url, rfc9440(client.cert)), behindProxy, `behind a proxy, ${name}`)
    }
    const signsNothing = [new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true)]
    const { root, intermediate } = await authorityChain({ ...DURING_NOW, intermediateExtensions: signsNothing })
    writeFileSync(caFile, root + intermediate)
    const unusable = await logged(server, 'new certificates are of no use, the old ones stay')
    t.match(
      unusable,
      [{ setting: 'ENTITLEMENT_CLIENT_CA', code: 'NO_AUTHORITY' }],
      'an authority that may sign nothing',
    )
  },
)

t.test('the host of a licence URL is not what a client says in X-Forwarded-Host', async t => {
  const catalogue = path(t, 'catalogue.json')
  writeFileSync(catalogue, CATALOGUE_TEXT)
  for (const [settings, host] of [
    [{}, 'drm.example'],
    [{ TRUSTED_PROXIES: '127.0.0.1' }, 'evil.example'],
  ] as const) {
    const { url, authority } = await openProxyDoor(t, { ...settings, CATALOGUE_FILE: catalogue })
    const { cert } = await authority.issue(VALID)
    const asking = { 'x-forwarded-host': 'evil.example', host: 'drm.example' }
    const question = { ...QUESTION, contentID: CATALOGUE_CONTENT }
    const { body } = await ask(url, rfc9440(cert), 'client-cert', asking, question)
    t.match(body.epTokenURL, `http://${host}:`, 'only a trusted proxy says it')
  }
})

t.test('what a client says in the header is not what the proxy says', async t => {
  const { url, authority } = await openProxyDoor(t)
  const { cert } = await authority.issue(VALID)
  // It passes everything on but what a client says in the header.
  const proxy = createServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, 'client-cert': rfc9440(cert), 'x-forwarded-for': '203.0.113.7' }
    const forwarded = request(`${url}${incoming.url}`, { method: incoming.method, headers }, answer => {
      outgoing.writeHead(answer.statusCode ?? 502)
      answer.pipe(outgoing)
    })
    incoming.pipe(forwarded)
  })
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve))
  t.teardown(() => proxy.close())
  const { port } = proxy.address() as AddressInfo // of a TCP server
  t.match(await ask(`http://127.0.0.1:${port}`, 'spoofed'), { status: 200 })
})

t.test('no number of other headers hides what the proxy says from one who says it, too', async t => {
  const { url, authority } = await openProxyDoor(t)
  const { cert } = await authority.issue(VALID)
  const both = [`client-cert: ${rfc9440(cert)}`, ...Array(2500).fill('a:'), 'client-cert: -']
  const received = await connect(Number(new URL(url).port), '127.0.0.1')
    .end(`POST /entitlement HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${both.join('\r\n')}\r\n\r\n`)
    .setEncoding('utf8')
    .toArray()
  t.match(received.join(''), /^HTTP\/1\.1 403 .*: unreadable certificate"/s)
})

t.test('bytes that are no HTTP, and paths that are no URL', async t => {
  const { url } = await openProxyDoor(t)
  const received = await connect(Number(new URL(url).port), '127.0.0.1')
    .end('hello\r\n\r\n')
    .setEncoding('utf8')
    .toArray()
  t.match(received.join(''), /^HTTP\/1\.1 400 .*"isAllowed":false/s)
  const answer = await fetch(`${url}/nothing`)
  t.equal(answer.status, 403, 'nor what there is')
})

const DURING_NOW = { notBefore: new Date(NOON - 1000), notAfter: new Date(Date.now() + 3_600_000) }

const LEFT_TO_THE_PROXY = { status: 200 }

/** What docs/entitlement.md says of each: the fault, and how a service behind a proxy answers to it. */
const FAULTY_CHAINS: Readonly<Record<string, [parts: Partial<ChainParts>, behindProxy: object]>> = {
  none: [{}, { status: 200 }],
  'name constraints': [
    {
      intermediateExtensions: [permittedOnly('allowed.example')],
      clientExtensions: [new SubjectAlternativeNameExtension([new GeneralName('dns', 'other.example')])],
    },
    LEFT_TO_THE_PROXY,
  ],
  'path length': [{ rootPathLength: 0 }, LEFT_TO_THE_PROXY],
  "the client's key usage": [
    { clientExtensions: [new KeyUsagesExtension(KeyUsageFlags.keyEncipherment, true)] },
    LEFT_TO_THE_PROXY,
  ],
  'unknown critical extension of the client': [{ clientExtensions: [unknownCritical()] }, LEFT_TO_THE_PROXY],
  'unknown critical extension of an authority': [{ intermediateExtensions: [unknownCritical()] }, LEFT_TO_THE_PROXY],
  "an authority's purposes": [
    { intermediateExtensions: [new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth])] },
    refused('not for clients'),
  ],
}

/** Clients may have DNS names in this domain alone. */
function permittedOnly(domain: string): Extension {
  const nested = (tag: number, content: Buffer) => Buffer.concat([Buffer.from([tag, content.length]), content])
  const subtrees = nested(0xa0, nested(0x30, nested(0x82, Buffer.from(domain))))
  return new Extension('2.5.29.30', true, nested(0x30, subtrees))
}

function unknownCritical(): Extension {
  return new Extension('1.3.6.1.4.1.99999.1', true, Buffer.from('0500', 'hex'))
}

const CATALOGUE_CONTENT = '3f2504e0-4f89-11d3-9a0c-0305e82c3301'
const DURING = { notBefore: new Date(NOON - 1000), notAfter: new Date(NOON + 1000) }
const VALID = { ...DURING, usage: 'client' } as const

/** The former has ended, and has the same name and key. */
async function renewedAuthority() {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  const authority = async (notAfter: Date) => {
    const parts = {
      name: 'CN=Authority',
      keys,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(NOON - 5000),
      notAfter,
    }
    const extensions = [new BasicConstraintsExtension(true)]
    const certificate = await X509CertificateGenerator.createSelfSigned({ ...parts, extensions })
    return Authority.read({ cert: `${certificate.toString('pem')}\n`, key })
  }
  return [await authority(new Date(NOON - 1000)), await authority(new Date(NOON + 5000))] as const
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

async function openProxyDoor(t: Test, settings: Record<string, string> = {}) {
  const authority = await TestAuthority.create()
  const caFile = path(t, 'ca.pem')
  writeFileSync(caFile, authority.cert)
  const server = await startTestServer(t, {
    settings: {
      ENTITLEMENT_PORT: 0,
      ENTITLEMENT_CLIENT_CA: caFile,
      ENTITLEMENT_PROXIES: '127.0.0.1',
      ENTITLEMENT_ACCOUNT: 201722,
      ...settings,
    },
  })
  const url = server.entitlementUrl ?? ''
  t.match(url, /^http:\/\/127/)
  return { server, url, authority, caFile }
}

function rfc9440(cert: string): string {
  return `:${new X509Certificate(cert).raw.toString('base64')}:`
}

function forms(cert: string): Record<string, string> {
  return {
    'RFC 9440': rfc9440(cert),
    nginx: encodeURIComponent(cert),
    'Amazon, which leaves +, / and = as they are': encodeURIComponent(cert).replace(/%2B|%2F|%3D/g, decodeURIComponent),
    'Amazon, the whole chain': encodeURIComponent(cert + cert),
  }
}

function refused(reason: string) {
  const errorText = `The client certificate is missing or not accepted: ${reason}`
  return { status: 403, body: { isAllowed: false, error: 1201, errorText, epTokenURL: '' } }
}

function ask(
  url: string,
  header: string | string[] | undefined,
  name = 'client-cert',
  headers = {},
  question: object = QUESTION,
) {
  return new Promise<AskedAnswer>((resolve, reject) => {
    const all = header === undefined ? headers : { ...headers, [name]: header }
    const asking = request(`${url}/entitlement`, { method: 'POST', headers: all })
    asking.on('response', response => resolve(received(response))).on('error', reject)
    asking.end(JSON.stringify(question))
  })
}
