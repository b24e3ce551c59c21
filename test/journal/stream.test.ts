import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import t, { type Test } from 'tap'
import { administratorOf } from '../administrator.js'
import { startTestServer, type TestServer } from '../harness.js'

interface Message {
  readonly id: string
  readonly topic: string
  readonly data: Record<string, unknown>
}

/** A reader of the stream, which gives its messages one by one. */
async function readerOf(t: Test, { url }: { url: string }, query = '', headers: Record<string, string> = {}) {
  const request = get(`${url}/admin/api/stream${query}`, { headers, agent: false })
  request.on('error', () => {})
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  t.teardown(() => request.destroy())
  response.setEncoding('utf8')
  const messages: Message[] = []
  let wake = () => {}
  let text = ''
  response.on('data', (part: string) => {
    text += part
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const [, id = '', topic = '', data = ''] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(block) ?? []
      if (id !== '') messages.push({ id, topic, data: JSON.parse(data) as Message['data'] })
    }
    wake()
  })
  return {
    response,
    leave: () => request.destroy(),
    next: async (): Promise<Message> => {
      for (;;) {
        const message = messages.shift()
        if (message !== undefined) return message
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    },
  }
}

t.test('the stream shows requests, events and changes of accounts as they happen', async t => {
  const server = await startTestServer(t)
  const heard: string[] = []
  const stop = server.stream.subscribe(({ topic }) => heard.push(topic))
  const reader = await readerOf(t, server)
  t.match(reader.response.headers, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  await server.get({ cookie: 'viewer-1' }, { 'x-request-id': 'one' })
  t.match(await reader.next(), {
    topic: 'event',
    data: { event: 'token_issued', customer: 201722, environment: 'test', cookie: 'viewer-1', request_id: 'one' },
  })
  t.match(await reader.next(), { topic: 'request', data: { id: 'one', status: 200, parameters: { contentKey: '…' } } })
  await administratorOf(server).post('/accounts/5/balance', { environment: 'test', add: 1 })
  t.match(await reader.next(), { topic: 'account', data: { customer: 5 } })
  t.same(heard, ['event', 'request', 'account'])
  stop()
  await server.get()
  await reader.next()
  t.equal(heard.length, 3)
})

t.test('a reader may want one customer', async t => {
  const server = await startTestServer(t)
  const reader = await readerOf(t, server, '?customer=5')
  await server.get({ cookie: 'of-another' })
  await server.get({ customerAuthenticator: '5,00000000000000000000000000000005', cookie: 'own' })
  t.match(
    [await reader.next(), await reader.next()],
    [
      { topic: 'event', data: { cookie: 'own' } },
      { topic: 'request', data: { customer: 5 } },
    ],
  )
})

t.test('a reader that comes back gets what it has missed, or learns that it is gone', async t => {
  const server = await startTestServer(t)
  const first = await readerOf(t, server)
  await server.get({ cookie: 'seen' })
  await first.next()
  const { id } = await first.next()
  first.leave()
  await server.get({ cookie: 'missed' })
  const second = await readerOf(t, server, '', { 'last-event-id': id })
  const missed = [await second.next(), await second.next()]
  t.match(missed, [{ topic: 'event', data: { cookie: 'missed' } }, { topic: 'request' }])
  const third = await readerOf(t, server, '', { 'last-event-id': missed[1]?.id ?? '' })
  await server.get({ cookie: 'new' })
  t.match(await third.next(), { topic: 'event', data: { cookie: 'new' } }, 'nothing was missed')
  const stranger = await readerOf(t, server, '', { 'last-event-id': 'of-another-process-7' })
  t.match(await stranger.next(), { topic: 'gap', data: { behind: 'of-another-process-7' } })
})

t.test('a reader that has missed more than is remembered is not dropped for it', async t => {
  const server = await startTestServer(t)
  const first = await readerOf(t, server)
  await longRequest(server, 'seen')
  const { id } = await first.next()
  for (let round = 0; round < 15; round += 1) {
    await Promise.all(Array.from({ length: 20 }, (_, index) => longRequest(server, `${round}-${index}`)))
    for (let index = 0; index < 20; index += 1) await first.next()
  }
  const second = await readerOf(t, server, '', { 'last-event-id': id })
  t.match(await second.next(), { topic: 'gap', data: { behind: id } })
  await server.get({ cookie: 'new' })
  t.match(await second.next(), { topic: 'event', data: { cookie: 'new' } })
})

t.test('a slow reader is dropped, and the others go on', async t => {
  const server = await startTestServer(t)
  const slow = await readerOf(t, server)
  slow.response.pause()
  const dropped = once(slow.response.socket, 'close')
  const quick = await readerOf(t, server)
  let isDropped = false
  void dropped.then(() => {
    isDropped = true
  })
  // Long requests, until what the kernel buffers is full, too.
  for (let round = 0; round < 200 && !isDropped; round += 1) {
    await Promise.all(Array.from({ length: 20 }, (_, index) => longRequest(server, `${round}-${index}`)))
    for (let index = 0; index < 20; index += 1) await quick.next()
  }
  slow.response.resume()
  await dropped
  await server.get({ cookie: 'at last' })
  t.match(await quick.next(), { topic: 'event', data: { cookie: 'at last' } })
})

function longRequest({ url }: TestServer, name: string): Promise<Response> {
  const parameters = Array.from({ length: 100 }, (_, index) => `wvExtension.${index}=${'-. '.repeat(20)}`)
  return fetch(`${url}/nothing?name=${name}&${parameters.join('&')}`)
}

t.test('the stream ends at once when the server closes', async t => {
  const server = await startTestServer(t)
  const reader = await readerOf(t, server)
  const ended = once(reader.response, 'end')
  await server.close()
  await ended
  t.pass('it has ended')
})
