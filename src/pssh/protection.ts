import type { PlayreadyData, PsshAnswer, PsshRequest } from '../../schemas/pssh.js'
import { contentProtection } from './content-protection.js'
import { type HeaderContent, type ProtectedKey, playreadyHeader } from './playready-header.js'
import { playreadyObject } from './playready-object.js'
import { commonPsshBox, PLAYREADY_SYSTEM, psshBox } from './pssh-box.js'

/** The licence URLs of this service, for a request that names none. */
export interface LicenceUrls {
  readonly playready: string
  readonly clearKey: string
}

/** All that signals the protection of content: for each key, and for several in one. */
export function protectionOf({ scheme, keys, ...given }: PsshRequest, ours: LicenceUrls): PsshAnswer {
  const licenceUrl = given.licenseAcquisitionUrl ?? ours.playready
  const clearKeyUrl = given.clearKeyUrl ?? ours.clearKey
  const boxesOf = (some: readonly ProtectedKey[]) => ({
    playready: playreadyData({ scheme, keys: some, licenceUrl }),
    clearkey: { pssh: base64(commonPsshBox(some.map(({ kid }) => kid))) },
  })
  return {
    scheme,
    licenseAcquisitionUrl: licenceUrl,
    clearKeyUrl,
    keys: keys.map(key => {
      const { kid } = key
      const boxes = boxesOf([key])
      return { kid, ...boxes, contentProtection: contentProtection({ scheme, kid, clearKeyUrl, ...boxes }) }
    }),
    ...(keys.length > 1 ? { together: boxesOf(keys) } : {}),
  }
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
