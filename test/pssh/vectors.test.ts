import { readFileSync } from 'node:fs'
import t from 'tap'
import { hlsLines } from '../../src/pssh/hls-keys.js'
import { guidOf } from '../../src/pssh/kid-forms.js'
import { playreadyHeader, playreadyObject, type Scheme } from '../../src/pssh/playready-header.js'
import { commonPsshBox, PLAYREADY_SYSTEM, psshBox, WIDEVINE_SYSTEM } from '../../src/pssh/pssh-box.js'
import { widevineData } from '../../src/pssh/widevine-data.js'
import { readMessage } from './box-reader.js'

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

interface Widevine {
  readonly title: string
  readonly scheme: Scheme
  readonly kids: readonly [string, ...string[]]
  readonly pssh: string
  readonly hls?: readonly string[]
}

const { checksums, header, common, packager, widevine } = JSON.parse(
  readFileSync('test/vectors/pssh.json', 'utf8'),
) as {
  checksums: { vectors: Checksum[] }
  header: { licenceUrl: string; xml: string }
  common: { kids: string[]; hex: string }
  packager: { kid: string; contentKey: string; vectors: Packaged[] }
  widevine: {
    vectors: Widevine[]
    published: { data: string; kid: string; provider: string; contentId: string }
  }
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

t.test('the Widevine boxes and the lines of HLS that shaka-packager writes', async t => {
  for (const { title, scheme, kids, pssh, hls } of widevine.vectors) {
    const box = psshBox(WIDEVINE_SYSTEM, widevineData({ scheme, kids })).toString('base64')
    t.equal(box, pssh, title)
    if (hls === undefined) continue
    const [kid] = kids
    const { xml } = playreadyHeader({ scheme, keys: [{ kid, contentKey: Buffer.from(kid, 'hex') }] })
    const object = playreadyObject(xml).toString('base64')
    const { key, sessionKey } = hlsLines({ scheme, kid, playready: { object }, widevine: { pssh } })
    // Each file has its own vector, in its init segment too. And no FairPlay client reads `cenc`.
    const comparable = hls.map(line => line.replace(/,IV=0x[\da-f]{32}/, '')).filter(line => isRead(line, scheme))
    const clearKey = key.filter(line => line.endsWith(',KEYFORMAT="org.w3.clearkey"'))
    t.same(key.filter(line => !clearKey.includes(line)).sort(), comparable.sort(), title)
    t.match(clearKey, [`URI="data:text/plain;base64,${Buffer.from(kid, 'hex').toString('base64')}",`], 'for hls.js')
    t.equal(clearKey.length, 1)
    t.same(
      sessionKey,
      key.map(line => line.replace('EXT-X-KEY', 'EXT-X-SESSION-KEY')),
    )
  }
})

function isRead(line: string, scheme: Scheme): boolean {
  return scheme === 'cbcs' || !line.includes('skd://')
}

t.test('a published Widevine pssh says the same, read field by field', async t => {
  const { data, kid, ...text } = widevine.published
  const published = readMessage(Buffer.from(data, 'base64'))
  const ours = readMessage(widevineData({ scheme: 'cenc', kids: [kid], ...text }))
  t.same([ours[2], ours[3], ours[4]], [published[2], published[3], published[4]])
  t.same(ours[9], [0x63656e63], 'and the scheme, as four letters')
  const long = readMessage(widevineData({ scheme: 'cbcs', kids: [kid], contentId: 'é'.repeat(256) }))
  t.same(long, { 2: [Buffer.from(kid, 'hex')], 4: [Buffer.from('é'.repeat(256))], 9: [0x63626373] })
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
