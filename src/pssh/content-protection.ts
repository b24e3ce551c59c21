import { uuidOf } from './kid-forms.js'
import type { Scheme } from './playready-header.js'
import { PLAYREADY_SYSTEM } from './pssh-box.js'
import { xmlText } from './xml-text.js'

/** The id with which DASH manifests name Clear Key; boxes have the common system's. */
const CLEAR_KEY_SYSTEM = 'e2719d58-a985-b3c9-781a-b030af78d30e'

export interface Signalled {
  readonly scheme: Scheme
  readonly kid: string
  /** Both in base64. */
  readonly playready: { readonly object: string; readonly pssh: string }
  readonly clearKeyUrl: string
}

/**
 * The elements of an AdaptationSet whose content has this KID, each with the namespaces that it needs. Players read
 * the licence URL of Clear Key from its element, and no pssh: the KID stands in the first one.
 */
export function contentProtection({ scheme, kid, playready, clearKeyUrl }: Signalled): string[] {
  const cenc = 'xmlns:cenc="urn:mpeg:cenc:2013"'
  return [
    `<ContentProtection ${cenc} schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="${scheme}" cenc:default_KID="${uuidOf(kid)}"/>`,
    `<ContentProtection ${cenc} xmlns:mspr="urn:microsoft:playready" schemeIdUri="urn:uuid:${PLAYREADY_SYSTEM}" value="MSPR 2.0">` +
      `<cenc:pssh>${playready.pssh}</cenc:pssh><mspr:pro>${playready.object}</mspr:pro></ContentProtection>`,
    `<ContentProtection xmlns:dashif="https://dashif.org/CPS" schemeIdUri="urn:uuid:${CLEAR_KEY_SYSTEM}" value="ClearKey1.0">` +
      `<dashif:Laurl>${xmlText(clearKeyUrl)}</dashif:Laurl></ContentProtection>`,
  ]
}
