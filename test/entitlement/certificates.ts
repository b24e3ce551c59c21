import { Authority, type Usage } from '../../src/certificates/authority.js'

/** PEM texts. */
export interface TestCertificate {
  readonly cert: string
  readonly key: string
}

export interface TestCertificateParts {
  /** `CN=player,O=Example`, which is the one without it. */
  readonly subject?: string
  /** `DNS:localhost`, `IP:127.0.0.1`, `URI:…`, `email:…`; those of this machine for a server without them, none for a client. */
  readonly names?: readonly string[]
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** Both without it. */
  readonly usage?: Usage
}

const HOUR_MS = 3_600_000

/** An authority of one test. */
export class TestAuthority {
  static async create(name = 'Test authority'): Promise<TestAuthority> {
    const validity = { notBefore: new Date('2000-01-01T00:00:00Z'), notAfter: new Date('2100-01-01T00:00:00Z') }
    return new TestAuthority(await Authority.create(`CN=${name}`, validity))
  }

  private constructor(private readonly authority: Authority) {}

  get cert(): string {
    return this.authority.cert
  }

  issue(parts: TestCertificateParts = {}): Promise<TestCertificate> {
    const { subject = 'CN=player,O=Example', usage } = parts
    return this.authority.issue({
      subject,
      names: parts.names ?? (usage === 'server' ? ['DNS:localhost', 'IP:127.0.0.1', 'IP:::1'] : []),
      usages: usage === undefined ? ['server', 'client'] : [usage],
      notBefore: parts.notBefore ?? new Date(Date.now() - HOUR_MS),
      notAfter: parts.notAfter ?? new Date(Date.now() + 24 * HOUR_MS),
    })
  }
}
