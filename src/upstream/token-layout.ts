const UUID = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i

/**
 * The customer's number that a token shows, where it has one of the layouts that are known (spec: playready-token.md, the
 * token and its style).
 */
export function customerOfToken(text: string): number | undefined {
  const token = Buffer.from(text, 'base64') // of both alphabets
  return isOfStyle2015(token) || isOfStyle2021(token) ? token.readUInt32BE(1) : undefined
}

/** Version, customer, key number, length; what is sealed; a tag of 16 bytes. */
function isOfStyle2015(token: Buffer): boolean {
  return token.length > 12 + 16 && token[0] === 1 && token.readUInt32BE(8) === token.length - 12 - 16
}

/** Version, customer, key number, a UUID with its length, length; what is sealed; a tag of 20 bytes. */
function isOfStyle2021(token: Buffer): boolean {
  const [version = 0] = token
  if (token.length <= 50 + 20 || version < 5 || version > 8 || token.readUInt16BE(8) !== 36) return false
  return UUID.test(token.toString('latin1', 10, 46)) && token.readUInt32BE(46) === token.length - 50 - 20
}
