import type { Scheme } from './playready-header.js'

export interface WidevineContent {
  readonly scheme: Scheme
  readonly kids: readonly string[]
  readonly provider?: string | undefined
  readonly contentId?: string | undefined
}

/** The fields of the protobuf message WidevinePsshData that clients still read. */
const KEY_ID = 2
const PROVIDER = 3
const CONTENT_ID = 4
const PROTECTION_SCHEME = 9

/** The data of a Widevine pssh box. The scheme is the four letters as a number. */
export function widevineData({ scheme, kids, provider, contentId }: WidevineContent): Buffer {
  return Buffer.concat([
    ...kids.map(kid => bytesField(KEY_ID, Buffer.from(kid, 'hex'))),
    ...(provider === undefined ? [] : [bytesField(PROVIDER, Buffer.from(provider))]),
    ...(contentId === undefined ? [] : [bytesField(CONTENT_ID, Buffer.from(contentId))]),
    numberField(PROTECTION_SCHEME, Buffer.from(scheme).readUInt32BE()),
  ])
}

/** Protobuf's wire types. */
const VARINT = 0
const LENGTH_DELIMITED = 2

function bytesField(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint((field << 3) | LENGTH_DELIMITED), varint(bytes.length), bytes])
}

function numberField(field: number, value: number): Buffer {
  return Buffer.concat([varint((field << 3) | VARINT), varint(value)])
}

/** Seven bits a byte, the lowest first; the top bit says that more follow. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}
