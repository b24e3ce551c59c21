/** A KID as PlayReady writes it: the first three fields of the UUID are little-endian in a GUID. */
export function guidOf(kid: string): Buffer {
  const bytes = Buffer.from(kid, 'hex')
  bytes.subarray(0, 4).reverse()
  bytes.subarray(4, 6).reverse()
  bytes.subarray(6, 8).reverse()
  return bytes
}

/** A KID as DASH manifests write it. */
export function uuidOf(kid: string): string {
  return kid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
