import type { ByteReader, ByteWriter } from '../tokens/bytes.js'

/** Licence extensions in a token, which are texts of a type, a comma and a payload in base64. */
export function writeExtensions(out: ByteWriter, extensions: readonly string[]): void {
  out.uint(extensions.length, 1)
  for (const extension of extensions) {
    const payload = Buffer.from(extension.slice(5), 'base64')
    out.bytes(Buffer.from(extension.slice(0, 4)))
    out.uint(payload.length, 2)
    out.bytes(payload)
  }
}

export function readExtensions(from: ByteReader): string[] {
  return Array.from({ length: from.uint(1) }, () => {
    const type = from.bytes(4).toString()
    return `${type},${from.bytes(from.uint(2)).toString('base64')}`
  })
}
