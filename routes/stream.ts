import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { streamQuery } from '../schemas/journal.js'
import type { ZodTypes } from '../src/http/validation.js'
import type { Stream } from '../src/journal/stream.js'
import type { StreamMessage } from '../src/journal/watchers.js'
import { emulating } from './emulating.js'

const STREAM_TYPE = 'text/event-stream'

/** A reader that has taken less than this much of what was sent is dropped. */
const MOST_UNREAD = 1024 * 1024

/** `/admin/api/stream`: what happens, as Server-Sent Events. */
export function streamRoutes(app: FastifyInstance, stream: Stream): void {
  const api = app.withTypeProvider<ZodTypes>()

  api.get(
    '/stream',
    {
      exposeHeadRoute: false,
      schema: {
        ...emulating('readStream', 'What happens, as Server-Sent Events, until the client leaves.', {
          503: 'There are too many readers, or the server is shutting down.',
        }),
        description:
          'Events `request`, `event`, `account`, `clock` and `faults`, each with JSON and an id. With `Last-Event-ID` those behind that one come first; an event `gap` says that they are not remembered.',
        querystring: streamQuery,
        answers: { 200: { description: 'The stream.', content: { [STREAM_TYPE]: { schema: 'text' } } } },
      },
    },
    async ({ headers, query: { customer } }, reply) => {
      const sent = new Readable({ read() {} })
      const write = (text: string) => {
        if (sent.readableLength > MOST_UNREAD) sent.destroy()
        else sent.push(text)
      }
      // Browsers then come back after a second.
      write('retry: 1000\n\n')
      const lastId = headers['last-event-id']?.toString().slice(0, 100)
      const leave = stream.open(
        {
          message: (message, json) => {
            if (isFor(customer, message)) write(`id: ${message.id}\nevent: ${message.topic}\ndata: ${json}\n\n`)
          },
          beat: () => write(':\n\n'),
          end: () => void sent.push(null),
        },
        lastId === '' ? undefined : lastId,
      )
      sent.once('close', leave)
      return reply.header('content-type', STREAM_TYPE).send(sent)
    },
  )
}

/** A message without a customer goes to every reader. */
function isFor(customer: number | undefined, { data }: StreamMessage): boolean {
  return customer === undefined || !('customer' in data) || data.customer === customer
}
