import type { FastifyRequest } from 'fastify'
import type { Environment } from '../ground/environment.js'
import { environmentOfHost } from '../ground/real-hosts.js'

const PLAIN_HOST = /^[\w.-]+(?::\d{1,5})?$|^\[[\da-fA-F:.]+\](?::\d{1,5})?$/

/** The host that a request is for. The Host header becomes part of an answer, so it must be no more than a host. */
export function plainHost({ host }: Pick<FastifyRequest, 'host'>): string {
  return PLAIN_HOST.test(host) ? host : 'localhost'
}

/** The environment that a request is for, where its host names none of the real service's. */
export function environmentOf(request: FastifyRequest, otherwise: Environment): Environment {
  return environmentOfHost(plainHost(request), otherwise)
}
