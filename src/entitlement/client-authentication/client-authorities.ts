import type { X509Certificate } from 'node:crypto'
import { isIssuedBy } from './certificate-files.js'

/** Why a client of the entitlement service is refused, as logs and metrics name it. */
export type ClientRefusal =
  | 'no certificate'
  | 'unreadable certificate'
  | 'unknown authority'
  | 'expired'
  | 'not yet valid'
  | 'not for clients'
  | 'not allowed'
  | 'protocol version'
  | 'no TLS'
  | 'too slow'
  | 'server certificate not accepted'
  | 'foreign address'
  | 'other'

/** The result for a client's certificate: accepted until a moment, or refused for a reason. */
export type Verification = { readonly until: number } | { readonly refusal: ClientRefusal }

interface Period {
  readonly from: number
  readonly until: number
}

/**
 * The authorities of ENTITLEMENT_CLIENT_CA: only they issue the certificates of clients. OpenSSL also accepts an
 * intermediate that a client sends along, and does not check an open connection again when a certificate of its chain
 * expires.
 */
export class ClientAuthorities {
  /** The validity periods of the chains from the authority up to a root. A renewed root makes several chains. */
  readonly #periods: ReadonlyMap<X509Certificate, readonly Period[]>

  constructor(certificates: readonly X509Certificate[]) {
    this.#periods = new Map(certificates.map(one => [one, periodsOf(one, certificates, new Set())]))
  }

  verify(certificate: X509Certificate, now: number): Verification {
    const issuers = [...this.#periods].filter(([authority]) => isIssuedBy(certificate, authority))
    if (issuers.length === 0) return { refusal: 'unknown authority' }
    const own = periodOf(certificate)
    const periods = issuers.flatMap(([, above]) => above.map(period => common(own, period)))
    if (periods.length === 0) return { refusal: 'not for clients' }
    const current = periods.filter(period => refusedTime(period, now) === undefined)
    if (current.length === 0)
      return { refusal: refusedTime(own, now) ?? refusedTime(periods[0] ?? own, now) ?? 'expired' }
    if (certificate.ca || !isForClients(certificate)) return { refusal: 'not for clients' }
    return { until: Math.max(...current.map(({ until }) => until)) }
  }
}

/**
 * Empty when the key usage of an authority in the chain rules out clients. A root is its own issuer. `below` prevents a
 * loop between two authorities that have issued each other.
 */
function periodsOf(
  authority: X509Certificate,
  all: readonly X509Certificate[],
  below: ReadonlySet<X509Certificate>,
): readonly Period[] {
  if (!isForClients(authority)) return []
  const own = periodOf(authority)
  if (isIssuedBy(authority, authority)) return [own]
  const path = new Set([...below, authority])
  const issuers = all.filter(one => !path.has(one) && isIssuedBy(authority, one))
  return issuers.flatMap(one => periodsOf(one, all, path)).map(period => common(own, period))
}

/** An unreadable date counts as expired. */
function periodOf({ validFrom, validTo }: X509Certificate): Period {
  const [from, until] = [Date.parse(validFrom), Date.parse(validTo)]
  return Number.isNaN(from) || Number.isNaN(until) ? { from: 0, until: 0 } : { from, until }
}

function common(one: Period, other: Period): Period {
  return { from: Math.max(one.from, other.from), until: Math.min(one.until, other.until) }
}

function refusedTime({ from, until }: Period, now: number): ClientRefusal | undefined {
  if (now < from) return 'not yet valid'
  return now <= until ? undefined : 'expired'
}

const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2'

function isForClients(certificate: X509Certificate): boolean {
  // Node's name for the extended key usages.
  const { keyUsage: purposes } = certificate as { keyUsage: string[] | undefined } // undefined without the extension
  return purposes?.includes(CLIENT_AUTHENTICATION) !== false
}
