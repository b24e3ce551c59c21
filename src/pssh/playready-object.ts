const RIGHTS_MANAGEMENT_HEADER = 1

/** The PlayReady Object with a header as its only record; all numbers are little-endian (PlayReady Header Specification, 2). */
export function playreadyObject(header: string): Buffer {
  const record = Buffer.from(header, 'utf16le')
  const start = Buffer.alloc(10)
  start.writeUInt32LE(start.length + record.length, 0)
  start.writeUInt16LE(1, 4) // records
  start.writeUInt16LE(RIGHTS_MANAGEMENT_HEADER, 6)
  start.writeUInt16LE(record.length, 8)
  return Buffer.concat([start, record])
}
