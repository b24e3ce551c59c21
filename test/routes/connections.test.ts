import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { form, startTestServer, type TestServer } from '../harness.js'
import { LOCAL, startGateway } from '../upstream/gateway.js'

const SCRIPT = '/player/vendor/shaka-player.js'

t.test('a connection that ends frees the files that its requests have opened', { skip: noProc() }, async t => {
  for (const MODE of ['emulate', 'gateway']) {
    const server = MODE === 'emulate' ? await startTestServer(t) : await startGateway(t, 'http://127.0.0.1:9')
    for (let connection = 0; connection < 3; connection += 1) {
      const socket = await connected(t, server.url)
      socket.write(get(SCRIPT).repeat(400))
      await once(socket, 'data')
      t.ok(openFiles() <= 16, 'no more than the requests that are answered at the same time')
      socket.destroy()
      await until(t, () => openFiles() === 0, 'all files are closed')
    }
  }
})

t.test('requests that come at once are all answered, in their order', async t => {
  const { url } = await startTestServer(t)
  const socket = await connected(t, url)
  const ids = Array.from({ length: 400 }, (_, index) => `request-${index}`)
  const answers = received(socket)
  const requests = ids.map(id => get('/healthz', { 'x-request-id': id }))
  // In pieces that end anywhere, and the last request ends the connection.
  const text = `${requests.join('')}${get('/healthz', { connection: 'close', 'x-request-id': 'last' })}`
  for (let at = 0; at < text.length; at += 10_007) socket.write(text.slice(at, at + 10_007))
  const found = [...(await answers).matchAll(/^x-request-id: (\S+)/gm)].map(([, id]) => id)
  t.same(found, [...ids, 'last'])
})

t.test('sixteen requests of a connection are in flight, the next ones wait', async t => {
  const upstream = await startHoldingUpstream(t)
  const server = await startGateway(t, upstream.url)
  const socket = await connected(t, server.url)
  const answers = received(socket)
  socket.write(tokenRequests(39))
  await until(t, () => upstream.held.length === 16, 'they reach the upstream')
  // Whatever else had been let through would be there before this one.
  const other = server.ask('of another connection')
  await until(t, () => upstream.held.length > 16, 'another connection is none the slower')
  t.equal(upstream.held.length, 17)
  socket.write(tokenRequests(1, 'connection: close\r\n'))
  upstream.release()
  t.equal((await other).status, 200)
  t.equal((await answers).match(/HTTP\/1\.1 200 OK/g)?.length, 40)
})

t.test('a client that reads no answers gets few of them made', async t => {
  const server = await startTestServer(t)
  const socket = await connected(t, server.url)
  socket.pause()
  const requests = 1500
  socket.write(get('/openapi.json').repeat(requests))
  // The server reads no further before these are read.
  await until(t, () => linesOf(server).length >= 2, 'the first ones are answered')
  socket.destroy()
  await until(t, () => linesOf(server).some(line => line.aborted), 'the rest is given up')
  const begun = linesOf(server).filter(({ status }) => status === 200)
  t.ok(begun.length < requests / 2, `${begun.length} of ${requests} answers were made`)
})

t.test('an answer that nobody reads ends its connection', { skip: noProc() }, async t => {
  const server = await startTestServer(t, { settings: { ANSWER_TIMEOUT: 200 } })
  const socket = await connected(t, server.url)
  socket.pause()
  socket.write(get(SCRIPT).repeat(64))
  await until(t, () => linesOf(server).some(line => line.aborted), 'it is given up')
  await until(t, () => openFiles() === 0, 'and its files are closed')
})

t.test('work that takes longer than an unread answer may lie does not end the connection', async t => {
  const upstream = await startHoldingUpstream(t)
  const server = await startGateway(t, upstream.url, { ANSWER_TIMEOUT: 20 })
  const asked = server.ask('slow')
  await until(t, () => upstream.held.length === 1, 'it is asked')
  const [, idle] = await Promise.all([after(100), connected(t, server.url)])
  t.notOk(idle.destroyed)
  upstream.release()
  t.equal((await asked).status, 200)
})

t.test('a request whose caller is gone is one log line and one observation', async t => {
  const upstream = await startHoldingUpstream(t)
  const server = await startGateway(t, upstream.url)
  const socket = await connected(t, server.url)
  socket.write(tokenRequests(12))
  await until(t, () => upstream.held.length === 12, 'the upstream is asked')
  socket.destroy()
  await until(t, () => linesOf(server).length >= 12, 'all are written down')
  // Whatever the answers that now come were to add, they would have added before this one.
  upstream.release()
  t.equal((await server.ask('still there')).status, 200)
  const lines = linesOf(server).filter(({ status }) => status !== 200)
  t.equal(new Set(lines.map(({ requestId }) => requestId)).size, 12)
  t.equal(lines.length, 12)
  for (const line of lines) t.match(line, { route: '/hms/pr/token', method: 'POST', status: 499, aborted: true })
  t.equal(await observed(server, '/hms/pr/token', 499), 12)
  t.equal(await observed(server, '/hms/pr/token', 200), 1)
})

t.test('requests that waited for their turn when their caller left are written down, and cost nothing', async t => {
  const upstream = await startHoldingUpstream(t)
  const server = await startGateway(t, upstream.url)
  const socket = await connected(t, server.url)
  socket.write(tokenRequests(40))
  await until(t, () => upstream.held.length === 16, 'sixteen have their turn')
  socket.resetAndDestroy()
  upstream.release()
  await until(t, () => linesOf(server).length >= 40, 'all are written down')
  const lines = linesOf(server)
  t.equal(new Set(lines.map(({ requestId }) => requestId)).size, 40)
  t.equal(lines.length, 40)
  t.ok(lines.some(({ status }) => status === 499))
  t.equal(await server.paid(), upstream.asked())
})

t.test('what a caller leaves half read is one line, which says so', async t => {
  const server = await startTestServer(t)
  const socket = await connected(t, server.url)
  socket.pause()
  socket.write(get(SCRIPT).repeat(8))
  await until(t, () => linesOf(server).length > 0, 'the first is read')
  const answered = linesOf(server).length
  socket.destroy()
  await until(t, () => linesOf(server).length === 8, 'each has its line')
  t.ok(answered < 8)
  t.equal(linesOf(server).filter(({ aborted }) => aborted).length, 8 - answered)
})

t.test('bytes that are no HTTP are refused after the requests before them', async t => {
  const upstream = await startHoldingUpstream(t)
  const server = await startGateway(t, upstream.url)
  const socket = await connected(t, server.url)
  const answers = received(socket)
  socket.write(`${tokenRequests(2)}no request\r\n\r\n`)
  await until(t, () => upstream.held.length === 2, 'they are asked')
  socket.write('and more\r\n\r\n')
  upstream.release()
  const statuses = [...(await answers).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
  t.same(statuses, ['200', '200', '400'])
  t.match(linesOf(server).at(-1), { route: 'invalid', status: 400 })
  t.equal(await observed(server, 'invalid', 400), 1)
})

t.test('a body that breaks off is refused in the form that was asked for, in one line', async t => {
  const server = await startTestServer(t, { settings: { REQUEST_TIMEOUT: 300 } })
  const head =
    'POST /hms/pr/token?errorFormat=json HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n'
  for (const [rest, status] of [
    ['Transfer-Encoding: chunked\r\n\r\nnot a length\r\n', 400],
    ['Content-Length: 10\r\n\r\nkid=', 408],
  ] as const) {
    const socket = await connected(t, server.url)
    const answer = received(socket)
    socket.write(`${head}${rest}`)
    const [, body = '{}'] = (await answer).split('\r\n\r\n')
    const { requestId, ...error } = JSON.parse(body)
    t.match(error, { code: status })
    t.match(await answer, `x-request-id: ${requestId}`)
    t.match(
      linesOf(server).filter(line => line.requestId === requestId),
      [{ route: '/hms/pr/token', status }],
    )
  }
  t.equal(linesOf(server).length, 2)
})

t.test('a request that does not arrive in time is refused then, and not at the next half minute', async t => {
  const REQUEST_TIMEOUT = 500
  const server = await startTestServer(t, { settings: { REQUEST_TIMEOUT } })
  const socket = await connected(t, server.url)
  const answer = received(socket)
  const begin = performance.now()
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n')
  const isLate = after(4 * REQUEST_TIMEOUT, 'too late', { ref: false })
  t.match(await Promise.race([answer, isLate]), /^HTTP\/1\.1 408 .*Error 408/s)
  t.ok(performance.now() - begin > REQUEST_TIMEOUT * 0.9, 'it has its time')
  t.match(linesOf(server), [{ route: 'invalid', status: 408 }])
})

interface Line {
  readonly requestId: string
  readonly status: number
  readonly aborted?: boolean
}

/** One for each request: what was logged of it. */
function linesOf({ log }: TestServer): Line[] {
  return log.filter(line => line.includes('"answered"')).map(line => JSON.parse(line) as Line) // what the tests check is in it
}

async function observed({ url }: TestServer, route: string, status: number): Promise<number> {
  const name = `expressplay_http_request_duration_seconds_count{route="${route}",status="${status}"} `
  const metrics = await (await fetch(`${url}/metrics`)).text()
  return Number(
    metrics
      .split('\n')
      .find(line => line.startsWith(name))
      ?.slice(name.length) ?? 0,
  )
}

function get(path: string, headers: Record<string, string> = {}): string {
  const lines = Object.entries({ host: 'x', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

function tokenRequests(count: number, headers = ''): string {
  const body = form({ customerAuthenticator: LOCAL.test }).toString()
  const type = 'content-type: application/x-www-form-urlencoded'
  const head = `POST /hms/pr/token HTTP/1.1\r\nhost: x\r\n${headers}${type}\r\ncontent-length: ${body.length}\r\n\r\n`
  return `${head}${body}`.repeat(count)
}

async function connected(t: Test, url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function received(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', chunk => {
    text += chunk
  })
  await once(socket, 'close')
  return text
}

/** Answers nothing before it is told to, and from then on at once. */
async function startHoldingUpstream(t: Test) {
  const held: ServerResponse[] = []
  let asked = 0
  let isReleased = false
  const answer = (response: ServerResponse, number: number) => {
    const token = `${'A'.repeat(160)}${number}`
    response.end(JSON.stringify({ licenseAcquisitionUrl: 'https://x/playready/RightsManager.asmx', token }))
  }
  const server = createServer((request, response) => {
    request.resume()
    asked += 1
    if (isReleased) answer(response, 0)
    else held.push(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // it listens on a port
  const release = () => {
    isReleased = true
    held.forEach(answer)
  }
  return { url: `http://127.0.0.1:${port}`, held, release, asked: () => asked }
}

/** The files of the player page that this process has open. */
function openFiles(): number {
  return readdirSync('/proc/self/fd').filter(number => {
    try {
      return readlinkSync(`/proc/self/fd/${number}`).endsWith(SCRIPT.replace('/player', 'dist/web'))
    } catch {
      return false
    }
  }).length
}

function noProc(): string | false {
  return process.platform === 'linux' ? false : 'only Linux shows which files are open'
}

/** Looks again and again, because what happens on the other side of a connection tells nobody. */
async function until(t: Test, holds: () => boolean, what: string): Promise<void> {
  for (let looked = 0; looked < 2000 && !holds(); looked += 1) await after(5)
  t.ok(holds(), what)
}
