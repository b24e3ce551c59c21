/** Of DER: a tag, the length, and the content. */
export function element(tag: number, ...contents: readonly Buffer[]): Buffer<ArrayBuffer> {
  const content = Buffer.concat(contents)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content)]), content])
}

export const SEQUENCE = 0x30
export const SET = 0x31
export const OCTETS = 0x04

function lengthOf({ length }: Buffer): number[] {
  if (length < 0x80) return [length]
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(length)
  const significant = bytes.subarray(bytes.findIndex(byte => byte !== 0))
  return [0x80 + significant.length, ...significant]
}
