import { CONTENT_KEY } from '../harness.js'
import { KID } from '../redeeming.js'
import { CATALOGUE_TEXT, catalogueText, INLINE_POLICY, OTHER_KID } from './catalogue-text.js'

export interface Broken {
  readonly title: string
  readonly text: string
  readonly faults: readonly (string | RegExp)[]
  /** Where a JSON schema cannot say it. */
  readonly isHidden?: true
}

const KEY = `{ "kid": "${KID}", "contentKey": "${CONTENT_KEY}" }`
const POLICY = '"policy": "hd"'
const VIEWERS = '"viewers": "everyone"'
const WRAPPED = '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5'

const RENTAL = (playDuration: string) =>
  `"Rental", "generalFlags": "00000001", "rental.periodEndTime": "+60", "rental.playDuration": ${playDuration}`

/** The catalogue with other keys, another line 9, 10 or 11, … and what is said of it. */
const keys = (keys: string) => catalogueText(`[${KEY}]`, keys)
const policy = (text: string) => catalogueText(POLICY, `"policy": ${text}`)
const inline = (place: string, other: string) => policy(INLINE_POLICY.replace(place, () => other))
const viewers = (text: string) => catalogueText(VIEWERS, text)
const licences = (text: string) => catalogueText(POLICY, `"licences": [${text}]`)
const beside = (text: string) => catalogueText(VIEWERS, `${VIEWERS}, ${text}`)

/** As far as each goes. */
export const inOrder = [
  CATALOGUE_TEXT,
  catalogueText('3600', '1'),
  catalogueText('3600', '2592000'),
  inline('100', '0'),
  inline('100', '999'),
  inline('"BuyToOwn"', RENTAL('1')),
  inline('"BuyToOwn"', RENTAL('2147483647')),
  inline('"BuyToOwn"', '"BuyToOwn", "minCertSecurityLevel": 3000, "useHttps": false'),
  inline('"BuyToOwn"', '"BuyToOwn", "minCertSecurityLevel": "150", "useHttps": "true"'),
  keys(
    `[{ "kid": "^${'k'.repeat(64)}", "kek": "${OTHER_KID}", "ek": "${WRAPPED}" }, { "kid": "^2", "kek": "${KID}" }]`,
  ),
  viewers('"viewers": []'),
  viewers(`"viewers": ["${'v'.repeat(32)}"], "until": "2020-01-01T00:00:00Z", "devicesPerCookie": 1000`),
  beside('"drm": "playready", "devicesPerCookie": 1'),
  licences('{ "policy": "hd" }'),
  licences(
    '{ "drm": "widevine", "policy": {} }, { "drm": "marlin", "policy": {} }, { "drm": "playready", "policy": "hd" }',
  ),
  licences('{ "drm": "widevine", "policy": { "securityLevel": 5, "hdcpOutputControl": "0", "wvExtension": [] } }'),
  licences('{ "drm": "widevine", "policy": { "licenseDuration": 4294967295, "wvExtension": "wudo,AAAAAA==" } }'),
  catalogueText(INLINE_POLICY, '{ "drm": "marlin", "extensionType": "wudo", "extensionPayload": "AAAAAA==" }'),
  catalogueText(`"${CONTENT_KEY}" }`, `"${CONTENT_KEY}", "iv": "${KID}" }`).replace(
    POLICY,
    '"drm": "fairplay", "policy": { "rentalDuration": 60, "generalFlags": "0000" }',
  ),
  '{ "contents": [] }',
]

export const broken: readonly Broken[] = [
  {
    title: 'a token that nobody could redeem',
    text: catalogueText('3600', '0'),
    faults: ['line 10: contents[0].duration: must be a whole number from 1 to 2592000'],
  },
  {
    title: 'a token for more than 30 days',
    text: catalogueText('3600', '2592001'),
    faults: ['line 10: contents[0].duration: must be a whole number from 1 to 2592000'],
  },
  {
    title: 'no viewers, which are not everyone because of that',
    text: catalogueText(`,\n      ${VIEWERS}`, ''),
    faults: [/^line 6: contents\[0\]\.viewers: must be "everyone", or a list/],
  },
  {
    title: 'viewers that are neither everyone nor a list',
    text: viewers('"viewers": "everybody"'),
    faults: [/^line 11: contents\[0\]\.viewers: must be "everyone", or a list/],
  },
  {
    title: 'a viewer without a name',
    text: viewers('"viewers": [\n"viewer-1",\n""]'),
    faults: ['line 13: contents[0].viewers[1]: must have 1 to 32 characters'],
  },
  {
    title: 'a viewer with too long a name',
    text: viewers(`"viewers": ["${'v'.repeat(33)}"]`),
    faults: ['line 11: contents[0].viewers[0]: must have 1 to 32 characters'],
  },
  {
    title: 'a contentID that is no GUID',
    text: catalogueText('3f2504e0-', ''),
    faults: ['line 7: contents[0].contentID: must be a GUID, such as 3f2504e0-4f89-11d3-9a0c-0305e82c3301'],
  },
  {
    title: 'no contentID',
    text: catalogueText('"contentID": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",', ''),
    faults: ['line 6: contents[0].contentID: must be a GUID, such as 3f2504e0-4f89-11d3-9a0c-0305e82c3301'],
  },
  {
    title: 'another DRM',
    text: beside('"drm": "clearkey"'),
    faults: ['line 11: contents[0].drm: must be playready or widevine or fairplay or marlin'],
  },
  {
    title: 'a named policy of another DRM',
    text: beside('"drm": "widevine"'),
    faults: ['line 9: contents[0].policy: is the name of a policy for playready'],
    isHidden: true,
  },
  {
    title: 'a named policy of an unknown DRM',
    text: catalogueText('"hd": {', '"hd": {\n"drm": "clearkey",'),
    faults: ['line 4: policies.hd.drm: must be playready or widevine or fairplay or marlin'],
  },
  {
    title: "another DRM's parameters",
    text: policy('{\n"securityLevel": 3 }').replace(VIEWERS, `${VIEWERS}, "drm": "fairplay"`),
    faults: ['line 10: contents[0].policy: has unknown fields: securityLevel'],
  },
  {
    title: 'a Widevine policy with faults, beside another fault',
    text: catalogueText('3600', '0').replace(
      POLICY,
      `"drm": "widevine", "policy": { "securityLevel": 6, "trackType": 5,\n"wvExtension": ["wudo"] }`,
    ),
    faults: [
      /^line 9: contents\[0\]\.policy\.securityLevel: Invalid security level value/,
      /^line 9: contents\[0\]\.policy\.trackType: .*trackType must be 0 to 4$/,
      /^line 10: contents\[0\]\.policy\.wvExtension: Invalid WVExtension parameters/,
      'line 11: contents[0].duration: must be a whole number from 1 to 2592000',
    ],
  },
  {
    title: 'an alias of a parameter',
    text: licences('{ "drm": "marlin", "policy": { "rightsType": "BuyToOwn" } }'),
    faults: ['line 9: contents[0].licences[0].policy: has unknown fields: rightsType'],
  },
  {
    title: 'an extension that is no text',
    text: licences('{ "drm": "widevine", "policy": { "wvExtension": [7] } }'),
    faults: ['line 9: contents[0].licences[0].policy.wvExtension: must be a text, or a list of texts'],
  },
  {
    title: 'a key for FairPlay without its initialisation vector',
    text: licences('{ "drm": "fairplay", "policy": {} }'),
    faults: ['line 8: contents[0].keys[0].iv: must be given for FairPlay'],
    isHidden: true,
  },
  {
    title: 'an initialisation vector that is none',
    text: keys(`[${KEY.replace('}', ', "iv": "00" }')}]`),
    faults: ['line 8: contents[0].keys[0].iv: Invalid iv parameter specified'],
  },
  {
    title: 'two licences for one DRM',
    text: licences('{ "policy": "hd" },\n{ "drm": "playready", "policy": "hd" }'),
    faults: ['line 10: contents[0].licences[1]: is a second licence for playready'],
    isHidden: true,
  },
  {
    title: 'a policy beside licences',
    text: beside('"drm": "playready",\n"licences": [{ "policy": "hd" }]'),
    faults: [
      'line 9: contents[0].policy: must be left out beside licences',
      'line 11: contents[0].drm: must be left out beside licences',
    ],
  },
  {
    title: 'no licence',
    text: licences(''),
    faults: ['line 9: contents[0].licences: must have at least one licence'],
  },
  {
    title: 'licences that are no list',
    text: catalogueText(POLICY, '"licences": { "playready": "hd" }'),
    faults: ['line 9: contents[0].licences: must be a list of licences'],
  },
  {
    title: 'a licence that is a name, and one without a policy',
    text: licences('"hd",\n{ "drm": "widevine" }'),
    faults: [
      'line 9: contents[0].licences[0]: must be an object',
      'line 10: contents[0].licences[1].policy: must be given',
    ],
  },
  {
    title: 'no key',
    text: keys('[]'),
    faults: ['line 8: contents[0].keys: must have at least one key'],
  },
  {
    title: 'more keys than a token carries',
    text: keys(`[${Array.from({ length: 17 }, (_, index) => KEY.replace(KID, `^${index}`)).join(',\n')}]`),
    faults: ['line 8: contents[0].keys: must have at most 16 keys'],
  },
  {
    title: 'a kid of two keys, in two spellings',
    text: keys(`[${KEY},\n${KEY.replace(KID, KID.toUpperCase())}]`),
    faults: ['line 9: contents[0].keys[1].kid: is the kid of another key'],
    isHidden: true,
  },
  {
    title: 'a short kid',
    text: keys(`[${KEY.replace(KID, KID.slice(1))}]`),
    faults: ['line 8: contents[0].keys[0].kid: kid must be 32 hexadecimal characters long'],
  },
  {
    title: 'a kid that is a number',
    text: keys(`[${KEY.replace(`"${KID}"`, '7')}]`),
    faults: ['line 8: contents[0].keys[0].kid: must be a text'],
  },
  {
    title: 'a key without a kid',
    text: keys(`[\n{ "contentKey": "${CONTENT_KEY}" }]`),
    faults: ['line 9: contents[0].keys[0].kid: Missing kid'],
  },
  {
    title: 'half a content key',
    text: catalogueText(CONTENT_KEY, CONTENT_KEY.slice(16)),
    faults: ['line 8: contents[0].keys[0].contentKey: Content encryption key must be 32-hexadecimal digits long'],
  },
  {
    title: 'a kid alone',
    text: keys(`[{ "kid": "${KID}" }]`),
    faults: [
      'line 8: contents[0].keys[0].contentKey: Invalid content encryption key: neither contentKey nor kek was given',
    ],
  },
  {
    title: 'a key that is given and wrapped',
    text: keys(`[{ "kid": "${KID}", "kek": "${OTHER_KID}", "ek": "${WRAPPED}", "contentKey": "${CONTENT_KEY}" }]`),
    faults: ['line 8: contents[0].keys[0].contentKey: Only one of kek or contentKey can be specified'],
  },
  {
    title: 'a wrapped key without what unwraps it',
    text: keys(`[{ "kid": "${KID}",\n"ek": "${WRAPPED}" }]`),
    faults: ['line 9: contents[0].keys[0].ek: Invalid encrypted key or kek: ek needs its kek'],
  },
  {
    title: 'another encryption',
    text: keys(`[${KEY.replace('}', ', "algId": "aesgcm" }')}]`),
    faults: [/^line 8: contents\[0\]\.keys\[0\]\.algId: .*algId must be aesctr or aescbc$/],
  },
  {
    title: 'a policy that nobody knows',
    text: policy('"uhd"'),
    faults: ['line 9: contents[0].policy: is the name of no policy'],
    isHidden: true,
  },
  {
    title: 'a policy that every object has a member of',
    text: policy('"constructor"'),
    faults: ['line 9: contents[0].policy: is the name of no policy'],
    isHidden: true,
  },
  {
    title: 'no policy',
    text: catalogueText(`${POLICY},`, ''),
    faults: ['line 6: contents[0].policy: must be given'],
  },
  {
    title: 'a policy that is a number',
    text: policy('7'),
    faults: ['line 9: contents[0].policy: must be an object'],
  },
  {
    title: 'a named policy that is broken, which is said once',
    text: catalogueText('"analogVideoOPL": 100', '"analogVideoOPL": 1000'),
    faults: ['line 3: policies.hd.analogVideoOPL: Invalid Output Control, values out of specified range'],
  },
  {
    title: 'an output protection level less',
    text: inline('"analogVideoOPL": 100,', ''),
    faults: ['line 9: contents[0].policy.analogVideoOPL: Missing OPL value'],
  },
  {
    title: 'an output protection level that is none',
    text: inline('100', 'null'),
    faults: ['line 9: contents[0].policy.analogVideoOPL: must be a text, a number, true or false'],
  },
  {
    title: 'a rental that is not persistent',
    text: inline('"BuyToOwn"', '"Rental",\n"rental.periodEndTime": "+60"'),
    faults: ['line 9: contents[0].policy.generalFlags: Invalid general flags: a Rental licence must be persistent'],
    isHidden: true,
  },
  {
    title: 'a rental without an end',
    text: inline('"BuyToOwn"', '"Rental", "generalFlags": "00000001"'),
    faults: ['line 9: contents[0].policy.rental.periodEndTime: Missing rental period end time'],
    isHidden: true,
  },
  {
    title: 'a rental that is over at once',
    text: inline('"BuyToOwn"', '"Rental", "generalFlags": "00000001",\n"rental.periodEndTime": "+0"'),
    faults: [/^line 10: contents\[0\]\.policy\.rental\.periodEndTime: .*is not in the future$/],
    isHidden: true,
  },
  {
    title: 'longer to play than there are seconds',
    text: inline('"BuyToOwn"', RENTAL('2147483648')),
    faults: ['line 9: contents[0].policy.rental.playDuration: Invalid rental play duration'],
  },
  {
    title: 'flags as a number, which loses their zeros',
    text: inline('"BuyToOwn"', '"BuyToOwn", "generalFlags": 1'),
    faults: ['line 9: contents[0].policy.generalFlags: must be a text'],
  },
  {
    title: 'an unknown security level',
    text: inline('"BuyToOwn"', '"BuyToOwn", "minCertSecurityLevel": 151'),
    faults: [/^line 9: contents\[0\]\.policy\.minCertSecurityLevel: .*must be 150, 2000 or 3000$/],
  },
  {
    title: 'a parameter that no policy has',
    text: inline('"BuyToOwn"', '"BuyToOwn", "expirationTime": "+60"'),
    faults: ['line 9: contents[0].policy: has unknown fields: expirationTime'],
  },
  {
    title: 'a policy that goes very deep',
    text: policy(`{ "rightsType": ${'['.repeat(50_000)}${']'.repeat(50_000)} }`),
    faults: ['line 9: contents[0].policy.rightsType: must be a text'],
  },
  {
    title: 'a day without a time',
    text: beside('\n"until": "2027-01-01"'),
    faults: ['line 12: contents[0].until: must be RFC 3339 with Z, such as 2027-01-01T00:00:00Z'],
  },
  {
    title: 'a day that no calendar has',
    text: beside('"until": "2027-02-30T00:00:00Z"'),
    faults: ['line 11: contents[0].until: must be RFC 3339 with Z, such as 2027-01-01T00:00:00Z'],
  },
  {
    title: 'no device',
    text: beside('"devicesPerCookie": 0'),
    faults: ['line 11: contents[0].devicesPerCookie: must be a whole number from 1 to 1000'],
  },
  {
    title: 'more devices than anybody has',
    text: beside('"devicesPerCookie": 1001'),
    faults: ['line 11: contents[0].devicesPerCookie: must be a whole number from 1 to 1000'],
  },
  {
    title: 'a misspelt field, and a key where a name should be',
    text: beside(`"untill": 1, "${CONTENT_KEY}": 1`),
    faults: ['line 11: contents[0]: has unknown fields: untill, …'],
  },
  {
    title: 'a key as the name of a policy',
    text: catalogueText('"hd"', `"a${CONTENT_KEY}"`).replace(POLICY, `"policy": ${INLINE_POLICY}`),
    faults: ['line 3: policies.…: must have 1 to 30 characters: letters, digits, _ and -, the first a letter'],
  },
  {
    title: 'a content twice, in two spellings',
    text: catalogueText('"contents": [', `"contents": [${contentAgain()},`),
    faults: ['line 7: contents[1].contentID: is that of the content on line 5'],
    isHidden: true,
  },
  {
    title: 'a content that is none',
    text: catalogueText('"contents": [', '"contents": [\nnull,'),
    faults: ['line 6: contents[0]: must be an object'],
  },
  {
    title: 'contents that are no list',
    text: '{ "contents": {} }',
    faults: ['line 1: contents: must be a list of contents'],
  },
  { title: 'no contents', text: '{}', faults: ['line 1: contents: must be a list of contents'] },
  { title: 'a list', text: '[]', faults: ['line 1: must be an object'] },
  {
    title: 'several faults',
    text: catalogueText('3600', '-1')
      .replace(VIEWERS, '"viewers": ["", 7]')
      .replace('"contents"', '"owner": "x",\n"contents"'),
    faults: [
      'line 5: has unknown fields: owner',
      'line 11: contents[0].duration: must be a whole number from 1 to 2592000',
      /^line 12: contents\[0\]\.viewers: must be "everyone"/,
    ],
  },
  {
    title: 'more faults than anybody reads',
    text: `{ "contents": [${'\n7,'.repeat(24)}\n7] }`,
    faults: [
      ...Array.from({ length: 20 }, (_, index) => `line ${index + 2}: contents[${index}]: must be an object`),
      'and 5 more',
    ],
  },
  {
    title: 'a name twice',
    text: catalogueText('"viewers": "everyone"', '"viewers": ["a"],\n      "viewers": "everyone"'),
    faults: ['line 12: has a name twice in one object'],
    isHidden: true,
  },
  {
    title: 'a name twice in an object that nothing is read of',
    text: '{"x":{"":[{},{"a":1,"\\u0061":2}]}}',
    faults: ['line 1: has a name twice in one object'],
  },
  { title: 'nothing', text: '', faults: ['line 1, column 1: is not JSON: a value is expected'] },
  {
    title: 'a comma too many',
    text: catalogueText(VIEWERS, `${VIEWERS},`),
    faults: ['line 12, column 5: is not JSON: a name in quotation marks is expected'],
  },
  {
    title: 'a comma too few',
    text: catalogueText('3600,', '3600'),
    faults: ['line 11, column 7: is not JSON: a comma is expected'],
  },
  {
    title: 'a key without quotation marks',
    text: catalogueText(`"${CONTENT_KEY}"`, CONTENT_KEY),
    faults: [/^line 8, column \d+: is not JSON: /],
  },
  {
    title: 'a comment',
    text: catalogueText('{', '{ // mine'),
    faults: ['line 1, column 3: is not JSON: comments have no place here'],
  },
  {
    title: 'half a file',
    text: CATALOGUE_TEXT.slice(0, -20),
    faults: ['line 11, column 18: is not JSON: closing quotation marks are expected'],
  },
  { title: 'what goes deeper than any reader can', text: '['.repeat(200_000), faults: ['is not JSON'] },
]

/** That of the catalogue, on one line. */
function contentAgain(): string {
  const [, content = ''] = /(\{\s+"contentID"[\s\S]+?\n {4}\})/.exec(CATALOGUE_TEXT) ?? []
  return content.replace('3f2504e0', '3F2504E0').replaceAll(/\s+/g, ' ')
}
