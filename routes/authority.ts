import type { FastifyInstance } from 'fastify'
import { StatusError } from '../src/errors/public-error.js'
import { sendAs } from '../src/http/answers.js'
import { jsonErrors } from '../src/http/error-forms.js'
import type { Operation } from '../src/http/operation.js'

export interface AuthorityOptions {
  /** In PEM, if this server has an authority of its own. */
  readonly ca: string | undefined
}

/**
 * The certificate that clients have to trust. It is no part of administration although it is below its path: a TLS
 * handshake shows it to every client, and a container that needs it should need no secret for it.
 */
export async function authorityRoutes(app: FastifyInstance, { ca }: AuthorityOptions): Promise<void> {
  app.get('/admin/api/ca.pem', { config: { errorForm: jsonErrors }, schema: AUTHORITY }, async (_request, reply) => {
    if (ca === undefined)
      throw new StatusError(404, 'This server has no authority of its own: PROXY_PORT or TLS=development makes one')
    return sendAs(reply, PEM_TYPE, ca)
  })
}

/** A certificate in PEM (RFC 8555, 9.1). */
const PEM_TYPE = 'application/pem-certificate-chain'

const AUTHORITY: Operation = {
  operationId: 'getAuthority',
  tags: ['operations'],
  summary:
    'The certificate that clients of the TLS listener and the proxy have to trust. It is public: no token is needed.',
  answers: { 200: { description: 'The certificate.', content: { [PEM_TYPE]: { schema: 'text' } } } },
  refuses: { 404: 'This server has no authority of its own.' },
}
