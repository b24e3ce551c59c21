/** KIDs as they are written in token requests: 32 hexadecimal digits. */

export function hexOf(bytes: Uint8Array): string {
  return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('')
}

/** Clear Key spells KIDs and keys in base64url without padding (W3C EME, 9.1.3). */
export function hexOfBase64url(text: string): string {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return hexOf(Uint8Array.from(binary, character => character.charCodeAt(0)))
}
