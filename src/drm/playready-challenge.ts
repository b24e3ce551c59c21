import { createHash } from 'node:crypto'
import type { Fault } from '../errors/error-catalogue.js'
import { guidOf } from '../pssh/kid-forms.js'
import type { Asked } from '../tokens/redemption-checks.js'
import { findDescendant, findElements, parseXml, wholeText, type XmlElement } from './xml.js'

/** What can be read of an AcquireLicense challenge without Microsoft's keys. */
export interface PlayreadyChallenge {
  readonly asked: Asked
  readonly tokens: readonly string[]
  readonly deviceId: string | undefined
}

/** Only the body matters; the SOAPAction header is ignored. */
export function readPlayreadyChallenge(body: Buffer): PlayreadyChallenge {
  const document = parseXml(body.toString('utf8'))
  const [challenge] = document?.name === 'Envelope' ? findElements(document, ...CHALLENGE) : []
  const [signed] = challenge === undefined ? [] : findElements(challenge, 'LA')
  if (challenge === undefined || signed === undefined)
    return { asked: { fault: NO_CHALLENGE }, tokens: [], deviceId: undefined }
  return { asked: askedKids(signed), tokens: tokensOf(signed), deviceId: deviceIdOf(challenge) }
}

const CHALLENGE = ['Body', 'AcquireLicense', 'challenge', 'Challenge']
const NO_CHALLENGE: Fault = { code: -4018, details: 'the body is no AcquireLicense challenge' }

/** Where each version of the header has its KIDs. */
const KIDS_OF_4_0 = ['DATA', 'KID']
const KIDS_OF_4_1 = ['DATA', 'PROTECTINFO', 'KID']
const KIDS_OF_4_2 = ['DATA', 'PROTECTINFO', 'KIDS', 'KID']

function askedKids(signed: XmlElement): Asked {
  const kids: string[] = []
  for (const header of findElements(signed, 'ContentHeader', 'WRMHEADER')) {
    const texts = findElements(header, ...KIDS_OF_4_0).map(({ text }) => text.trim())
    const values = [KIDS_OF_4_1, KIDS_OF_4_2].flatMap(path => findElements(header, ...path).map(guidText))
    for (const text of [...texts, ...values]) {
      const kid = kidOf(text)
      if (kid === undefined) return { fault: { code: -4022, details: 'a KID must be 16 bytes in base64' } }
      kids.push(kid)
    }
  }
  return { kids }
}

function guidText({ attributes }: XmlElement): string {
  return attributes.get('VALUE') ?? ''
}

/** From the base64 of a GUID, whose swap of bytes leads back to the KID. */
function kidOf(text: string): string | undefined {
  if (!/^[A-Za-z0-9+/]{22}==$/.test(text)) return undefined
  return guidOf(Buffer.from(text, 'base64').toString('hex')).toString('hex')
}

/**
 * What an application hands to its player as custom data. What has characters that no token has, even when its
 * escaping for a URL is taken away, is data of the application's own.
 */
function tokensOf(signed: XmlElement): string[] {
  const texts = findElements(signed, 'CustomData').map(({ text }) =>
    text.trim().replace(/%2D/gi, '-').replace(/%5F/gi, '_'),
  )
  return texts.filter(text => /^[\w-]+$/.test(text))
}

/**
 * The first of what identifies a device best: its certificates, where they are not encrypted for Microsoft; the public
 * half of the key that it signs with; its version. It is not verified that the device has the private half.
 */
function deviceIdOf(challenge: XmlElement): string | undefined {
  const identities = ['CertificateChain', 'PublicKey', 'CLIENTINFO', 'ClientInfo']
  for (const name of identities) {
    const text = textOf(findDescendant(challenge, name, NOT_THE_DEVICES))
    if (text !== '') return createHash('sha256').update(text).digest('hex').slice(0, 32)
  }
  return undefined
}

/** What the content's header and the application say is not about the device. */
const NOT_THE_DEVICES = ['ContentHeader', 'CustomData']

function textOf(element: XmlElement | undefined): string {
  return element === undefined ? '' : wholeText(element).replace(/\s/g, '')
}
