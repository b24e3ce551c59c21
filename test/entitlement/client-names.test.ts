import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { readClientName } from '../../src/config/client-name-syntax.js'
import { hasName } from '../../src/entitlement/client-authentication/client-names.js'
import { TestAuthority, type TestCertificateParts } from './certificates.js'

const names: [client: string, parts: TestCertificateParts, isAllowed: boolean][] = [
  ['CN=player', { subject: 'CN=player,O=Example' }, true],
  ['O=Example, CN=player', { subject: 'CN=player,O=Example,C=DE' }, true],
  ['cn=player', { subject: 'CN=player' }, true],
  ['CN=Player', { subject: 'CN=player' }, false],
  ['CN=player', { subject: 'CN=player2' }, false],
  ['CN=player', { subject: 'O=player' }, false],
  ['CN=player,O=Example', { subject: 'CN=player,O=Exemple' }, false],
  ['CN=player,O=Example', { subject: 'CN=player' }, false],
  ['CN=player,O=Example', { subject: 'CN=player\\,O=Example' }, false],
  ['CN=player\\,O=Example', { subject: 'CN=player\\,O=Example' }, true],
  ['CN=player\\2CO=Example', { subject: 'CN=player\\,O=Example' }, true],
  ['CN=player+OU=a,OU=b', { subject: 'CN=player+OU=a,OU=b' }, true],
  ['OU=b,OU=a+CN=player', { subject: 'CN=player+OU=a,OU=b' }, true],
  ['CN=player', { subject: 'CN=player+OU=a' }, false],
  ['CN=player,OU=b', { subject: 'CN=player+OU=a,OU=b' }, false],
  ['CN=player+OU=a', { subject: 'CN=player,OU=a' }, false],
  // A client that may add attributes of its own is nobody else by that.
  ['CN=player,O=Example', { subject: 'CN=evil,CN=player,O=Evil,O=Example' }, false],
  ['CN=player,O=Example', { subject: 'CN=player,O=Example,CN=evil' }, false],
  ['CN=player,O=Example', { subject: 'O=Example,CN=evil,CN=player' }, false],
  ['CN=player', { subject: 'CN=evil,CN=player' }, false],
  ['OU=a,OU=b', { subject: 'CN=player,OU=a,OU=b' }, true],
  ['OU=b,OU=a', { subject: 'CN=player,OU=a,OU=b' }, true],
  ['OU=b,CN=player,OU=a', { subject: 'CN=player,OU=a,OU=b' }, false],
  ['CN=Zo\\C3\\AB', { subject: 'CN=Zoë' }, true],
  ['DNS:player.example', { names: ['DNS:Player.example'] }, true],
  ['DNS:player.example', { names: ['DNS:other.example'] }, false],
  ['DNS:player.example', { names: ['DNS:*.example'] }, false],
  ['DNS:player.example', { subject: 'CN=player.example' }, false],
  ['URI:urn:player', { names: ['DNS:x', 'URI:urn:player'] }, true],
  ['URI:urn:player', { names: ['URI:urn:Player'] }, false],
  ['email:a@example.org', { names: ['email:a@example.org'] }, true],
  ['IP:2001:db8::1', { names: ['IP:2001:0db8:0:0::1'] }, true],
  ['IP:10.0.0.1', { names: ['DNS:10.0.0.1'] }, false],
  // What one name holds is not taken for two.
  ['DNS:player.example', { names: ['URI:urn:x, DNS:player.example'] }, false],
  ['DNS:player.example', { names: ['URI:urn:x", DNS:player.example'] }, false],
  ['DNS:player.example', { subject: 'CN=x\\, DNS:player.example' }, false],
]

t.test('a certificate has the names that it says, and no others', async t => {
  const authority = await TestAuthority.create()
  for (const [client, parts, isNamed] of names) {
    const certificate = new X509Certificate((await authority.issue(parts)).cert)
    const name = readClientName(client)
    t.equal(name && hasName(certificate, [name]), isNamed, `${client} for ${JSON.stringify(parts)}`)
  }
})

t.test('a certificate in which any byte is another has no name that it had not, and does no harm', async t => {
  const authority = await TestAuthority.create()
  const { cert } = await authority.issue({ subject: 'CN=player', names: ['DNS:player.example', 'IP:10.0.0.1'] })
  const der = new X509Certificate(cert).raw
  const name = readClientName('DNS:other.example')
  if (name === undefined) throw new Error('it is a name')
  let count = 0
  for (let position = 0; position < der.length; position += 1)
    for (const byte of [0x00, 0x7f, 0xff]) {
      const certificate = parsed(Buffer.from(der).fill(byte, position, position + 1))
      if (certificate === undefined) continue
      count += 1
      if (hasName(certificate, [name])) t.fail(`${byte} at ${position}`)
    }
  t.ok(count > 100, 'most of them can still be read')
})

function parsed(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der)
  } catch {
    return undefined
  }
}

t.test('what is no name of a client', async t => {
  for (const text of [
    '',
    'CN',
    'CN=',
    'CN=a,,O=b',
    'CN=a,',
    'CN=a+',
    'CN=a<b',
    'DNS:',
    'IP:nowhere',
    'dns:a',
    'CN=a\\',
  ])
    t.equal(readClientName(text), undefined, text)
})
