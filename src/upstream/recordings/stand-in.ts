import { type Randomness, randomBytes } from '../../ground/randomness.js'

/** The outer bytes of a token: version, customer, length. */
export const OUTER_CHARACTERS = 16
const SHORTEST_TOKEN = 64

/** As long as the token, and spelt as it is. Only so much of its beginning is kept; the sealed part is random. */
export function standIn(token: string, kept: number, random: Randomness): string {
  const [text = ''] = token.split('=', 1)
  const outer = text.length < SHORTEST_TOKEN ? '' : text.slice(0, kept)
  const sealed = text.length - outer.length
  const alphabet = /[+/]/.test(token) ? 'base64' : 'base64url'
  const bytes = randomBytes(random, Math.ceil((sealed * 3) / 4)).toString(alphabet)
  return outer + bytes.slice(0, sealed) + token.slice(text.length)
}
