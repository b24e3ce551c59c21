import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { NOON } from '../harness.js'
import { type KeyRequest, KID, OTHER_KID, playreadyBody, startLicenceServer, tokenKey } from '../redeeming.js'

const PLAYREADY = '/playready/RightsManager.asmx'

interface Vector {
  readonly title: string
  /** Where the token goes: beside the challenge, or into its CustomData, in this spelling. */
  readonly token: 'query' | 'header' | 'inside' | 'references' | 'percent'
  readonly kids: readonly string[]
  readonly deviceId: string | null
  readonly body: string
}

const { challenges } = JSON.parse(readFileSync('test/vectors/challenges.json', 'utf8')) as {
  challenges: Vector[]
} // the file says what is in it

function requestOf({ token: place, body }: Vector, token: string): KeyRequest {
  if (place === 'query') return { body, token }
  if (place === 'header') return { body, headers: { ExpressPlayToken: token } }
  const references = (text: string) => text.replace(/./g, letter => `&#${letter.charCodeAt(0)};`)
  const percent = (text: string) => text.replace(/[-_]/g, sign => (sign === '-' ? '%2D' : '%5f'))
  const spelling = { inside: token, references: references(token), percent: percent(token) }[place]
  return { body: body.replace('@TOKEN@', spelling) }
}

for (const vector of challenges)
  t.test(vector.title, async t => {
    const server = await startLicenceServer(t)
    const keys = vector.kids.map(kid => tokenKey(kid))
    const answer = await server.ask(PLAYREADY, requestOf(vector, server.seal({ keys })))
    const text = await answer.text()
    t.equal(answer.status, 200, text)
    const granted = [...text.matchAll(/<Licence kid="(\w+)"/g)].map(([, kid]) => kid)
    t.same(granted, vector.kids)
    t.match(await server.events(), [
      { event: 'token_redeemed', drm: 'playready', kid: vector.kids, device_id: vector.deviceId },
    ])

    const device = vector.deviceId ?? undefined
    t.equal((await server.ask(PLAYREADY, requestOf(vector, server.seal({ keys, deviceId: device })))).status, 200)
    const others = server.seal({ keys, deviceId: 'ffffffffffffffffffffffffffffffff' })
    t.match(await (await server.ask(PLAYREADY, requestOf(vector, others))).text(), '-4001')
    const [, ...fewer] = [...keys, tokenKey('000000000000000000000000000000aa')]
    t.match(await (await server.ask(PLAYREADY, requestOf(vector, server.seal({ keys: fewer })))).text(), '-4022')
  })

t.test('the answer is a stand-in that says what was granted', async t => {
  const server = await startLicenceServer(t)
  const rental = { rightsType: 'Rental', generalFlags: '00000001', 'rental.periodEndTime': NOON + 60_000 }
  const token = server.seal({
    keys: [tokenKey(KID, { ...rental, outputControlFlags: 'c0ffee00' }), tokenKey(OTHER_KID)],
  })
  const answer = await server.ask(PLAYREADY, { token, body: playreadyBody() })
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'text/xml; charset=utf-8')
  const text = await answer.text()
  for (const part of [
    /^<\?xml version="1.0" encoding="utf-8"\?>\n<soap:Envelope xmlns:soap="http:\/\/schemas.xmlsoap.org\/soap\/envelope\/">/,
    '<AcquireLicenseResponse xmlns="http://schemas.microsoft.com/DRM/2007/03/protocols"><AcquireLicenseResult>',
    '<Licenses></Licenses><EmulatedLicence xmlns="urn:expressplay-token-backend:emulated" playable="false">',
    'no device can play with it',
    `<Licence kid="${KID}" algId="aesctr"><rightsType>Rental</rightsType>`,
    '<analogVideoOPL>100</analogVideoOPL>',
    '<outputControlFlags>c0ffee00</outputControlFlags>',
    '<rental.periodEndTime>2026-06-01T12:01:00.000Z</rental.periodEndTime>',
  ])
    t.match(text, part)
  t.notMatch(text, OTHER_KID)
  t.notMatch(text, '5ec2e7a0c0ffee00')
})

t.test('a SOAPAction in any form or none changes nothing', async t => {
  const server = await startLicenceServer(t)
  const action = 'http://schemas.microsoft.com/DRM/2007/03/protocols/AcquireLicense'
  const token = server.seal()
  for (const headers of [{}, { soapaction: action }, { SOAPAction: `"${action}"` }, { soapaction: '' }]) {
    const typed = { ...headers, 'content-type': 'text/xml; charset=utf-8' }
    for (const all of [headers, typed])
      t.equal(
        (await server.ask(PLAYREADY, { token, body: playreadyBody(), headers: all as Record<string, string> })).status,
        200,
      )
  }
})

/** The error inside a fault, which must be one. */
async function faultIn(answer: Response): Promise<{ code: number; message: string; requestId: string }> {
  const text = await answer.text()
  const fault =
    /<soap:Body><soap:Fault><faultcode>soap:Server<\/faultcode><faultstring>(.*)<\/faultstring><detail><Exception><StatusCode>0x8004C604<\/StatusCode><CustomData>(.*)<\/CustomData><\/Exception><\/detail><\/soap:Fault>/
  const [, faultstring, customData = ''] = fault.exec(text) ?? []
  if (answer.status !== 500 || answer.headers.get('content-type') !== 'text/xml; charset=utf-8')
    throw new Error(`${answer.status} ${text}`)
  const error = JSON.parse(unescaped(customData)) as { code: number; message: string; requestId: string } // checked below
  if (error.message !== unescaped(faultstring ?? '')) throw new Error(`not the same text twice: ${text}`)
  return error
}

function unescaped(text: string): string {
  return text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&')
}

t.test('every refusal is a fault that carries the documented error', async t => {
  const server = await startLicenceServer(t, { settings: { BODY_LIMIT: 20_000 } })
  const token = server.seal()
  const soap = (inner: string) => `<Envelope><Body>${inner}</Body></Envelope>`
  const bombs = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">${'<!ENTITY b "&a;&a;&a;&a;">'.repeat(40)}]>`
  const refused: [title: string, body: string, code: number][] = [
    ['nothing', '', -4018],
    ['no XML', 'xml', -4018],
    ['not closed', playreadyBody().slice(0, -3), -4018],
    ['two roots', `${playreadyBody()}<more/>`, -4018],
    ['another root', playreadyBody().replace(/s:Envelope/g, 's:Letter'), -4018],
    ['another message', soap('<AcknowledgeLicense/>'), -4018],
    ['no header', soap('<AcquireLicense><challenge><Challenge><LA/></Challenge></challenge></AcquireLicense>'), -4018],
    ['no KID', playreadyBody(''), -4018],
    ['half a KID', playreadyBody('<KID>PV1LM/VEVk+kEA==</KID>'), -4022],
    ['no VALUE', playreadyBody('<PROTECTINFO><KIDS><KID/></KIDS></PROTECTINFO>'), -4022],
    ['another KID', playreadyBody('<KID>AAAAAAAAAAAAAAAAAAAAAA==</KID>'), -4022],
    ['a document type', `<!DOCTYPE s:Envelope>${playreadyBody()}`, -4018],
    ['an attribute that hides a method of the parser', `<a hasOwnProperty="x" b="y"/>`, -4018],
    ['entities of its own', bombs + playreadyBody('&b;'), -4018],
    ['an unknown entity', playreadyBody('<KID>&kid;</KID>'), -4018],
    ['too deep', `${'<a>'.repeat(3000)}${playreadyBody()}${'</a>'.repeat(3000)}`.slice(0, 20_000), -4018],
    ['too many elements', playreadyBody('<a/>'.repeat(2100)), -4018],
    [
      'too many attributes',
      playreadyBody(`<a ${Array.from({ length: 2100 }, (_, i) => `a${i}=""`).join(' ')}/>`),
      -4018,
    ],
    ['too large', `${playreadyBody()}${' '.repeat(20_000)}`, 413],
  ]
  for (const [title, body, code] of refused) {
    const answer = await server.ask(PLAYREADY, { token, body })
    const error = await faultIn(answer)
    t.equal(error.code, code, title)
    t.equal(error.requestId, answer.headers.get('x-request-id'))
  }
  const rejected = await faultIn(await server.ask(PLAYREADY, { body: 'nothing of a token' }))
  t.match(rejected, { code: -4010, message: 'Invalid token: no token was sent' }, 'the token comes first')
  const [one, other] = [server.seal({}), server.seal({})]
  const twice = playreadyBody(undefined, `${one}</CustomData><CustomData>${other}`)
  const contradicted = await faultIn(await server.ask(PLAYREADY, { body: twice }))
  t.equal(contradicted.code, -4010, 'two that contradict each other')
  t.notMatch(contradicted.message, 'no token was sent')
  const bound = { token: server.seal({ ipAddress: '203.0.113.7' }), body: playreadyBody() }
  t.match(await faultIn(await server.ask(PLAYREADY, bound)), { code: -2003 })
  const answered = server.log.filter(line => line.includes('"status":500') && line.includes('"level":30'))
  t.equal(answered.length, refused.length + 3, 'a line for each')
  t.equal(server.log.filter(line => line.includes('"level":50')).length, 0, 'no failure of ours')

  t.equal((await fetch(`${server.url}${PLAYREADY}`)).status, 405)
  t.equal((await fetch(`${server.url}/playready/other.asmx`)).status, 404)
})

t.test('the id of a device is half a hash that anybody can make', async t => {
  const signed = challenges.find(({ title }) => title.startsWith('4.1'))
  const [, publicKey = ''] = /<PublicKey>(.*)<\/PublicKey>/.exec(signed?.body ?? '') ?? []
  t.equal(createHash('sha256').update(publicKey).digest('hex').slice(0, 32), signed?.deviceId)
})
