import type { FastifyRequest } from 'fastify'

const PLAIN_HOST = /^[\w.-]+(?::\d{1,5})?$|^\[[\da-fA-F:.]+\](?::\d{1,5})?$/

/** The Host header becomes part of an answer, so it must be no more than a host. */
export function plainHost({ host }: FastifyRequest): string {
  return PLAIN_HOST.test(host) ? host : 'localhost'
}
