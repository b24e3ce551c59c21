import type { IncomingHttpHeaders } from 'node:http'
import { TOKEN_NAME } from '../../schemas/licences.js'
import type { RawParameters } from '../../schemas/sorting.js'
import type { LicenceFamily } from '../drm/family.js'

/** The parts of a key request that may hold a token, beside its challenge. */
export interface TokenPlaces {
  readonly query: RawParameters
  readonly headers: IncomingHttpHeaders
}

/** Every place of a key request that may hold a token, as far as it holds one. */
export function givenTokens(
  { query, headers }: TokenPlaces,
  { tokenParameter = TOKEN_NAME }: LicenceFamily,
  inChallenge: readonly string[],
): string[] {
  // The same header twice comes as one text with a comma.
  const inHeader = headers[TOKEN_NAME.toLowerCase()]?.toString().split(',')
  const inQuery = tokenParameter === TOKEN_NAME ? [] : query[tokenParameter]
  return [query[TOKEN_NAME], inQuery, inHeader, ...inChallenge]
    .flat()
    .map(token => token?.trim() ?? '')
    .filter(token => token !== '')
}
