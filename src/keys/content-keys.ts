import type { KeyRequest } from '../../schemas/keys.js'
import { type Fault, firstFault } from '../errors/error-catalogue.js'
import { TokenError } from '../errors/public-error.js'
import type { Owner } from '../ground/environment.js'
import type { MaybePromise } from '../ground/maybe-promise.js'
import type { KeyStorage } from './key-storage.js'
import { unwrapKey } from './key-wrap.js'

export interface ResolvedKey {
  readonly kid: string
  /** Without it, that of the DRM. */
  readonly algId?: 'aesctr' | 'aescbc' | undefined
  /** Hexadecimal, as everything that goes into a token and comes out again; if missing, the issuer must have it. */
  readonly contentKey: string | undefined
}

/**
 * The content key of every key request: given, unwrapped, or from the key storage. A key that is not there is a
 * fault, unless another service may have it.
 */
export function resolveContentKeys(
  requests: readonly KeyRequest[],
  owner: Owner,
  parts: KeyResolution,
): MaybePromise<readonly ResolvedKey[]> {
  return requests.every(hasContentKey) ? requests : unwrapAll(requests, owner, parts)
}

interface KeyResolution {
  readonly storage: KeyStorage
  readonly mayBeElsewhere: boolean
}

function hasContentKey(request: KeyRequest): request is KeyRequest & { readonly contentKey: string } {
  return request.contentKey !== undefined
}

async function unwrapAll(
  requests: readonly KeyRequest[],
  owner: Owner,
  { storage, mayBeElsewhere }: KeyResolution,
): Promise<ResolvedKey[]> {
  const faults: Fault[] = []
  const resolved: ResolvedKey[] = []
  for (const request of requests) {
    const contentKey = request.contentKey ?? (await unwrapped(request, owner, storage, mayBeElsewhere))
    if (typeof contentKey !== 'object') resolved.push({ kid: request.kid, algId: request.algId, contentKey })
    else faults.push(contentKey)
  }
  const fault = firstFault(faults)
  if (fault !== undefined) throw new TokenError(fault)
  return resolved
}

async function unwrapped(
  { kid, kek, ek }: KeyRequest,
  owner: Owner,
  storage: KeyStorage,
  mayBeElsewhere: boolean,
): Promise<string | undefined | Fault> {
  if (kek === undefined) throw new Error('a key request has a contentKey or a kek')
  if (ek !== undefined)
    return unwrapKey(kek, ek)?.toString('hex') ?? { code: -4024, parameter: 'ek', details: 'kek does not unwrap ek' }
  const wrapped = await storage.findWrapped(owner, kid).catch(unreachable)
  if (wrapped === undefined && mayBeElsewhere) return undefined
  const key = wrapped && unwrapKey(kek, wrapped)
  return (
    key?.toString('hex') ?? { code: -4019, parameter: 'kid', details: `no key for kid ${kid} that this kek unwraps` }
  )
}

function unreachable(cause: unknown): never {
  throw new TokenError({ code: -4019, details: 'the key storage cannot be reached' }, { status: 503, cause })
}
