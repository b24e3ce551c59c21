import type { TokenOrder } from '../tokens/issuer.js'

/** The URL that the upstream told, or ours in its place. */
export function asTold(upstreamUrl: string, _order: TokenOrder): string {
  return upstreamUrl
}
