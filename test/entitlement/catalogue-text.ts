import { CONTENT_KEY } from '../harness.js'
import { KID } from '../redeeming.js'

export const OTHER_KID = 'a043e8b60da54cec8cb10cfb4cd9a1c8'
const OPLS = '"analogVideoOPL": 100, "compressedDigitalAudioOPL": 1, "compressedDigitalVideoOPL": 2'
const MORE_OPLS = '"uncompressedDigitalAudioOPL": 3, "uncompressedDigitalVideoOPL": "4"'
export const INLINE_POLICY = `{ "rightsType": "BuyToOwn", ${OPLS}, ${MORE_OPLS} }`

/** A catalogue that is in order, as somebody writes one. Its lines are those that the faults name. */
export const CATALOGUE_TEXT = `{
  "policies": {
    "hd": ${INLINE_POLICY}
  },
  "contents": [
    {
      "contentID": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
      "keys": [{ "kid": "${KID}", "contentKey": "${CONTENT_KEY}" }],
      "policy": "hd",
      "duration": 3600,
      "viewers": "everyone"
    }
  ]
}
`

/** That catalogue with something else in a place. */
export function catalogueText(place: string, other: string): string {
  if (!CATALOGUE_TEXT.includes(place)) throw new Error(`the catalogue does not say ${place}`)
  return CATALOGUE_TEXT.replace(place, () => other)
}
