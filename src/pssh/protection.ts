import type { LicenceUrls, PlayreadyData, PsshAnswer, PsshRequest } from '../../schemas/pssh.js'
import { hlsLines } from './hls-keys.js'
import { uuidOf } from './kid-forms.js'
import {
  type HeaderContent,
  type ProtectedKey,
  playreadyHeader,
  playreadyObject,
  type Scheme,
} from './playready-header.js'
import { commonPsshBox, PLAYREADY_SYSTEM, psshBox, WIDEVINE_SYSTEM } from './pssh-box.js'
import { type WidevineContent, widevineData } from './widevine-data.js'
import { xmlText } from './xml-text.js'

/** All that signals the protection of content: for each key, and for several in one. `ours`: for what names no URL. */
export function protectionOf(
  { scheme, keys, provider, contentId, ...given }: PsshRequest,
  ours: LicenceUrls,
): PsshAnswer {
  const licenceUrl = given.licenseAcquisitionUrl ?? ours.playready
  const clearKeyUrl = given.clearKeyUrl ?? ours.clearkey
  const boxesOf = (some: readonly ProtectedKey[]) => {
    const kids = some.map(({ kid }) => kid)
    return {
      playready: playreadyData({ scheme, keys: some, licenceUrl }),
      clearkey: { pssh: base64(commonPsshBox(kids)) },
      widevine: widevineBox({ scheme, kids, provider, contentId }),
    }
  }
  return {
    scheme,
    licenseAcquisitionUrl: licenceUrl,
    clearKeyUrl,
    licenseUrls: { ...ours, playready: licenceUrl, clearkey: clearKeyUrl },
    keys: keys.map(key => {
      const { kid } = key
      const boxes = boxesOf([key])
      const signalled = { scheme, kid, clearKeyUrl, ...boxes }
      return { kid, ...boxes, contentProtection: contentProtection(signalled), hls: hlsLines(signalled) }
    }),
    ...(keys.length > 1 ? { together: boxesOf(keys) } : {}),
  }
}

function widevineBox(content: WidevineContent): PsshAnswer['keys'][number]['widevine'] {
  const data = widevineData(content)
  return { data: base64(data), pssh: base64(psshBox(WIDEVINE_SYSTEM, data)) }
}

function playreadyData(content: HeaderContent): PlayreadyData {
  const { version, xml } = playreadyHeader(content)
  const object = playreadyObject(xml)
  return {
    headerVersion: version,
    header: xml,
    object: base64(object),
    pssh: base64(psshBox(PLAYREADY_SYSTEM, object)),
  }
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64')
}

/** The id with which DASH manifests name Clear Key; boxes have the common system's. */
const CLEAR_KEY_SYSTEM = 'e2719d58-a985-b3c9-781a-b030af78d30e'

export interface Signalled {
  readonly scheme: Scheme
  readonly kid: string
  /** Both in base64. */
  readonly playready: { readonly object: string; readonly pssh: string }
  readonly widevine: { readonly pssh: string }
  readonly clearKeyUrl: string
}

/**
 * The elements of an AdaptationSet whose content has this KID, each with the namespaces that it needs. Players read
 * the licence URL of Clear Key from its element, and no pssh: the KID stands in the first one.
 */
function contentProtection({ scheme, kid, playready, widevine, clearKeyUrl }: Signalled): string[] {
  const cenc = 'xmlns:cenc="urn:mpeg:cenc:2013"'
  return [
    `<ContentProtection ${cenc} schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="${scheme}" cenc:default_KID="${uuidOf(kid)}"/>`,
    `<ContentProtection ${cenc} xmlns:mspr="urn:microsoft:playready" schemeIdUri="urn:uuid:${PLAYREADY_SYSTEM}" value="MSPR 2.0">` +
      `<cenc:pssh>${playready.pssh}</cenc:pssh><mspr:pro>${playready.object}</mspr:pro></ContentProtection>`,
    `<ContentProtection xmlns:dashif="https://dashif.org/CPS" schemeIdUri="urn:uuid:${CLEAR_KEY_SYSTEM}" value="ClearKey1.0">` +
      `<dashif:Laurl>${xmlText(clearKeyUrl)}</dashif:Laurl></ContentProtection>`,
    `<ContentProtection ${cenc} schemeIdUri="urn:uuid:${WIDEVINE_SYSTEM}"><cenc:pssh>${widevine.pssh}</cenc:pssh></ContentProtection>`,
  ]
}
