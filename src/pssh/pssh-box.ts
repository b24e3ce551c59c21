/** Protection systems by the ids with which boxes and manifests name them. */
export const PLAYREADY_SYSTEM = '9a04f079-9840-4286-ab92-e65be0885f95'
export const WIDEVINE_SYSTEM = 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'
const COMMON_SYSTEM = '1077efec-c0b2-4d02-ace3-3c1e52e2fb4b'

/** The box in version 0: its KIDs are in the data of the protection system. */
export function psshBox(system: string, data: Buffer): Buffer {
  return box(system, 0, [], data)
}

/** The box that any Clear Key client reads, in version 1: it lists its KIDs and has no data (W3C, "cenc" init data). */
export function commonPsshBox(kids: readonly string[]): Buffer {
  return box(COMMON_SYSTEM, 1, [uint32(kids.length), ...kids.map(kid => Buffer.from(kid, 'hex'))], Buffer.alloc(0))
}

/** ISO/IEC 23001-7, 8.1; all numbers are big-endian. */
function box(system: string, version: 0 | 1, kids: readonly Buffer[], data: Buffer): Buffer {
  const content = Buffer.concat([
    Buffer.from('pssh'),
    Buffer.from([version, 0, 0, 0]),
    Buffer.from(system.replaceAll('-', ''), 'hex'),
    ...kids,
    uint32(data.length),
    data,
  ])
  return Buffer.concat([uint32(4 + content.length), content])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
