import type { SecureContext, SecureContextOptions } from 'node:tls'

/** What the TLS listener presents. */
export interface ServedCertificates {
  /** For every name without a certificate of its own. */
  readonly current: SecureContextOptions
  /** The authority that clients have to trust, in PEM, if it is ours. */
  readonly ca: string | undefined
  /** A certificate of its own for the name that a client asks for; `undefined` for `current`. */
  contextFor(name: string): Promise<SecureContext | undefined>
  /** Calls this whenever `current` changes. */
  onRenewal(renewed: () => void): void
  close(): void
}
