import { readFileSync } from 'node:fs'
import t from 'tap'
import { guidOf } from '../../src/pssh/kid-forms.js'
import { playreadyHeader, playreadyObject, type Scheme } from '../../src/pssh/playready-header.js'
import { commonPsshBox, PLAYREADY_SYSTEM, psshBox } from '../../src/pssh/pssh-box.js'

interface Checksum {
  readonly kid: string
  readonly guid: string
  readonly contentKey: string
  readonly checksum: string
}

interface Packaged {
  readonly title: string
  readonly scheme: Scheme
  readonly licenceUrl?: string
  readonly pssh: string
  readonly object: string
  readonly common?: string
}

const { checksums, header, common, packager } = JSON.parse(readFileSync('test/vectors/pssh.json', 'utf8')) as {
  checksums: { vectors: Checksum[] }
  header: { licenceUrl: string; xml: string }
  common: { kids: string[]; hex: string }
  packager: { kid: string; contentKey: string; vectors: Packaged[] }
} // ours

const keyOf = ({ kid, contentKey }: { kid: string; contentKey: string }) => ({
  kid,
  contentKey: Buffer.from(contentKey, 'hex'),
})

t.test('published KIDs and checksums', async t => {
  for (const { guid, checksum, ...key } of checksums.vectors) {
    t.equal(guidOf(key.kid).toString('base64'), guid)
    const { version, xml } = playreadyHeader({ scheme: 'cenc', keys: [keyOf(key)] })
    t.equal(version, '4.0.0.0')
    t.match(xml, `<KID>${guid}</KID><CHECKSUM>${checksum}</CHECKSUM>`)
    t.notMatch(xml, key.contentKey)
  }
})

t.test('a published header with two keys', async t => {
  const keys = checksums.vectors.slice(1, 3).map(keyOf)
  const { version, xml } = playreadyHeader({ scheme: 'cenc', keys, licenceUrl: header.licenceUrl })
  t.equal(version, '4.2.0.0')
  t.equal(xml, header.xml)
})

t.test('the published example of a common box', async t => {
  t.equal(commonPsshBox(common.kids).toString('hex'), common.hex)
})

t.test('what shaka-packager writes for the same key', async t => {
  for (const { title, scheme, licenceUrl, ...packaged } of packager.vectors) {
    const { xml } = playreadyHeader({ scheme, keys: [keyOf(packager)], licenceUrl })
    const object = playreadyObject(xml)
    t.equal(object.toString('base64'), packaged.object, title)
    t.equal(psshBox(PLAYREADY_SYSTEM, object).toString('base64'), packaged.pssh, title)
    if (packaged.common !== undefined) t.equal(commonPsshBox([packager.kid]).toString('base64'), packaged.common, title)
  }
})

t.test('cbcs: header 4.3, with no checksum, for one key and for several', async t => {
  const [first, second] = checksums.vectors
  t.ok(first && second)
  for (const some of [checksums.vectors.slice(0, 1), checksums.vectors.slice(0, 2)]) {
    const { version, xml } = playreadyHeader({ scheme: 'cbcs', keys: some.map(keyOf) })
    t.equal(version, '4.3.0.0')
    t.same(
      [...xml.matchAll(/<KID ALGID="AESCBC" VALUE="([^"]+)"><\/KID>/g)].map(([, guid]) => guid),
      some.map(({ guid }) => guid),
    )
    t.notMatch(xml, /CHECKSUM/)
  }
  t.throws(() => playreadyHeader({ scheme: 'cenc', keys: [] }), RangeError)
})
