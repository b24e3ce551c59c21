import type { FastifyReply } from 'fastify'

/** Clients compare it, so it has no charset. */
export const JSON_TYPE = 'application/json'

/** Sends a text with exactly this content type: clients compare it, so no charset may be added. */
export function sendAs(reply: FastifyReply, contentType: string, text: string): FastifyReply {
  return reply.header('content-type', contentType).serializer(asItIs).send(text)
}

export function sendJson(reply: FastifyReply, answer: object): FastifyReply {
  return sendAs(reply, JSON_TYPE, JSON.stringify(answer))
}

function asItIs(text: unknown): string {
  return String(text)
}
