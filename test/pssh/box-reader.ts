/** A pssh box read by the book (ISO/IEC 23001-7, 8.1), with nothing of what writes it. */
export interface ReadBox {
  readonly version: number
  readonly system: string
  readonly kids: readonly string[]
  readonly data: Buffer
}

export function readBox(base64: string): ReadBox {
  const box = Buffer.from(base64, 'base64')
  if (box.readUInt32BE(0) !== box.length || box.toString('latin1', 4, 8) !== 'pssh') throw new Error('no pssh box')
  const version = box.readUInt8(8)
  const system = box.toString('hex', 12, 28)
  const count = version === 0 ? 0 : box.readUInt32BE(28)
  const kids = Array.from({ length: count }, (_, index) => box.toString('hex', 32 + 16 * index, 48 + 16 * index))
  const afterKids = version === 0 ? 28 : 32 + 16 * count
  const data = box.subarray(afterKids + 4)
  if (box.readUInt32BE(afterKids) !== data.length) throw new Error('the data has another length than it says')
  return { version, system, kids, data }
}

/** The header in a PlayReady Object that has one record, as every packager writes it. */
export function readObject(object: Buffer): string {
  const [length, records, type, recordLength] = [
    object.readUInt32LE(0),
    object.readUInt16LE(4),
    object.readUInt16LE(6),
    object.readUInt16LE(8),
  ]
  if (length !== object.length || records !== 1 || type !== 1 || recordLength !== length - 10)
    throw new Error('no PlayReady Object with one header')
  return new TextDecoder('utf-16le', { fatal: true }).decode(object.subarray(10))
}

/** The fields of a protobuf message that has only numbers and bytes, by field number, in their order. */
export function readMessage(message: Buffer): Record<number, (number | Buffer)[]> {
  const fields: Record<number, (number | Buffer)[]> = {}
  let at = 0
  const number = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = message.readUInt8(at++)
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }
  while (at < message.length) {
    const tag = number()
    if (tag % 8 !== 0 && tag % 8 !== 2) throw new Error('neither a number nor bytes')
    const value = number()
    const bytes = message.subarray(at, at + value)
    if (tag % 8 === 2 && bytes.length < value) throw new Error('a field is cut off')
    if (tag % 8 === 2) at += value
    fields[Math.floor(tag / 8)] = [...(fields[Math.floor(tag / 8)] ?? []), tag % 8 === 0 ? value : bytes]
  }
  return fields
}
