import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { request as ask, createServer } from 'node:http'
import { connect as connectTcp, type Socket } from 'node:net'
import { resolve } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { realHosts } from '../src/ground/real-hosts.js'
import { repetitions } from './counts.js'
import { form, startTestServer } from './harness.js'

const HOST = 'pr-gen.test.expressplay.com'
const TOKEN = `/hms/pr/token?${form()}`

function portOf(url: string | undefined): number {
  return Number(new URL(url ?? '').port)
}

/** Sends bytes to the proxy, and returns all that comes back until it hangs up or is silent after an answer. */
function exchange(port: number, text: string | Buffer, until: RegExp | 'end' = 'end'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => socket.write(text))
    let got = ''
    socket.setEncoding('latin1')
    socket.on('data', chunk => {
      got += chunk
      if (until !== 'end' && until.test(got)) socket.destroy()
    })
    socket.on('error', error => ('code' in error && error.code === 'ECONNRESET' ? undefined : reject(error)))
    socket.on('close', () => resolve(got))
  })
}

/** A tunnel through the proxy, with TLS in it. */
async function tunnel(port: number, ca: string, host = HOST, tunnelPort = 443): Promise<TLSSocket> {
  const socket = await openTunnel(port, `${host}:${tunnelPort}`)
  const secure = connectTls({ socket, servername: host, ca })
  await new Promise((resolve, reject) => secure.once('secureConnect', resolve).once('error', reject))
  return secure
}

function openTunnel(port: number, authority: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const asked = ask({ host: '127.0.0.1', port, method: 'CONNECT', path: authority, agent: false })
    asked.on('connect', ({ statusCode }, socket) =>
      statusCode === 200 ? resolve(socket as Socket) : reject(new Error(`${statusCode}`)),
    )
    asked.on('error', reject)
    asked.end()
  })
}

/** One request on a connection that is open already. */
function get(socket: Socket, path: string, host = HOST): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = ''
    const read = (chunk: Buffer) => {
      got += chunk.toString('latin1')
      const [head = '', body = ''] = got.split('\r\n\r\n')
      const [, length = '0'] = /content-length: (\d+)/i.exec(head) ?? []
      if (got.includes('\r\n\r\n') && body.length >= Number(length)) {
        socket.off('data', read).off('error', reject)
        resolve(got)
      }
    }
    socket.on('data', read)
    socket.once('error', reject)
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  })
}

t.test('the proxy answers for every name of the real service, whatever the port', async t => {
  const server = await startTestServer(t, { proxy: true })
  const { proxyUrl, ca = '' } = server
  t.match(proxyUrl, /^http:\/\/127\.0\.0\.1:\d+$/)
  for (const [index, name] of realHosts().entries()) {
    const socket = await tunnel(portOf(proxyUrl), ca, name, [443, 8443, 80][index % 3])
    const answer = await get(socket, TOKEN, name)
    t.match(answer, /^HTTP\/1\.1 (?:200|401) /, name)
    t.match(await get(socket, '/healthz', name), /^HTTP\/1\.1 200 /, 'the connection is used again')
    socket.destroy()
  }
})

t.test('plain HTTP goes through the proxy too: in a tunnel, and in absolute form', async t => {
  const { proxyUrl } = await startTestServer(t, { proxy: true })
  const port = portOf(proxyUrl)
  const inTunnel = await openTunnel(port, `${HOST}:80`)
  const answer = await get(inTunnel, TOKEN)
  t.match(answer, '"licenseAcquisitionUrl":"http://pr.test.expressplay.com/playready/RightsManager.asmx"')
  inTunnel.destroy()

  const absolute = `http://${HOST}${TOKEN}`
  const headers = `Host: ${HOST}\r\nProxy-Connection: keep-alive\r\n`
  const first = await exchange(port, `GET ${absolute} HTTP/1.1\r\n${headers}\r\n`, /token/)
  t.match(first, '"licenseAcquisitionUrl":"http://pr.test.expressplay.com/playready/RightsManager.asmx"')
  const other = await exchange(port, `GET ${absolute} HTTP/1.1\r\nHost: www.example.com\r\n\r\n`, /token/)
  t.match(other, 'pr.test.expressplay.com', 'the request line counts, not Host')
  const https = `GET https://${HOST}${TOKEN} HTTP/1.1\r\n${headers}\r\n`
  t.match(await exchange(port, https, /token/), /^HTTP\/1\.1 200 /, 'as some clients ask')
  const body = form().toString()
  const type = `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n`
  const posted = `POST http://${HOST}/hms/pr/token HTTP/1.1\r\n${headers}${type}Expect: more\r\n\r\n${body}`
  t.match(await exchange(port, posted, /token/), /^HTTP\/1\.1 200 /)
  t.match(
    await exchange(port, `GET http://${HOST} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`),
    /^HTTP\/1\.1 404 /,
  )
})

t.test('every other host is refused, with the reason', async t => {
  const server = await startTestServer(t, { proxy: true })
  const port = portOf(server.proxyUrl)
  const own = portOf(server.url)
  for (const authority of [
    ...['www.example.com:443', `127.0.0.1:${own}`, `localhost:${own}`, `[::1]:${own}`, `127.0.0.1:${port}`],
    ...['expressplay.com:443', `${HOST}.example.com:443`, `a${HOST}:443`, '169.254.169.254:80'],
  ]) {
    const answer = await exchange(port, `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    t.match(answer, /^HTTP\/1\.1 403 Forbidden\r\n/, authority)
    t.match(answer, `${authority.replace(/:\d+$/, '')} is no host of the service`)
  }
  for (const line of ['GET http://www.example.com/', `GET http://127.0.0.1:${own}/healthz`, 'GET /healthz', 'GET *'])
    t.match(await exchange(port, `${line} HTTP/1.1\r\nHost: x\r\n\r\n`), /^HTTP\/1\.1 403 /, line)
})

t.test('with PROXY_PASS_THROUGH other hosts are reached', async t => {
  const other = createServer((request, response) => response.end(`${request.method} ${request.url}`))
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
  t.teardown(() => other.close())
  const address = other.address()
  const otherPort = typeof address === 'object' && address !== null ? address.port : 0
  const settings = { PROXY_PASS_THROUGH: 'true' }
  const { proxyUrl } = await startTestServer(t, { proxy: true, settings })
  const socket = await openTunnel(portOf(proxyUrl), `127.0.0.1:${otherPort}`)
  t.match(await exchangeOn(socket, 'GET /tunnel HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), 'GET /tunnel')
  const plain = `GET http://127.0.0.1:${otherPort}/plain?x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
  t.match(await exchange(portOf(proxyUrl), plain), 'GET /plain?x')
  const nobody = `GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
  t.match(await exchange(portOf(proxyUrl), nobody), /^HTTP\/1\.1 502 /)
})

function exchangeOn(socket: Socket, text: string): Promise<string> {
  return new Promise(resolve => {
    let got = ''
    socket.on('data', chunk => {
      got += chunk
    })
    socket.on('close', () => resolve(got))
    socket.write(text)
  })
}

t.test('what is no request is refused, and nothing of it hangs', async t => {
  const { proxyUrl, ca = '' } = await startTestServer(t, { proxy: true, settings: { REQUEST_TIMEOUT: '500' } })
  const port = portOf(proxyUrl)
  const connect = `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`
  t.match(await exchange(port, 'CONNECT'), /^HTTP\/1\.1 408 /, 'a head that does not end')
  t.match(await exchange(port, `CONNECT ${HOST}:443 HTTP/1.1\nHost: x\n\n`), /^HTTP\/1\.1 (?:400|200) /, 'no CR')
  t.match(await exchange(port, `CONNECT ${'a'.repeat(20_000)}:443 HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 (?:431|403) /)
  t.match(await exchange(port, `${connect.slice(0, -2)}X: ${'a'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /)
  t.match(await exchange(port, Buffer.from([0x16, 3, 1, 0, 0])), /^HTTP\/1\.1 400 /, 'TLS to the proxy itself')
  t.match(await exchange(port, connect), /^HTTP\/1\.1 200 Connection Established\r\n\r\n$/, 'a tunnel without a byte')
  t.match(
    await exchange(port, `${connect}GET`),
    /Established\r\n\r\nHTTP\/1\.1 408 /,
    'a request that stops in a tunnel',
  )
  const broken = await exchange(port, Buffer.concat([Buffer.from(connect), Buffer.from([0x16, 0xff, 0xff, 0xff, 1])]))
  t.match(broken, /^HTTP\/1\.1 200 Connection Established\r\n\r\n/, 'bytes that begin like TLS')
  const smuggled = await exchange(port, `${connect}GET /healthz HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`)
  t.match(smuggled, /Established\r\n\r\nHTTP\/1\.1 200 OK/, 'what follows at once is the first request of the tunnel')
  t.equal(smuggled.match(/HTTP\/1\.1/g)?.length, 2)
  const socket = await tunnel(port, ca)
  t.match(await get(socket, '/healthz'), /^HTTP\/1\.1 200 /, 'it still works')
  socket.destroy()
})

t.test('tunnels with nothing in flight end when the server closes', async t => {
  const server = await startTestServer(t, { proxy: true })
  const idle = await tunnel(portOf(server.proxyUrl), server.ca ?? '')
  t.match(await get(idle, '/healthz'), /^HTTP\/1\.1 200 /)
  const ended = new Promise(resolve => idle.once('close', resolve))
  await server.close()
  await ended
  t.pass('it ended')
})

const REQUESTS = repetitions({ usual: 1000, long: 10_000 })
const CONNECTIONS = 64

t.test(`${REQUESTS} requests through the proxy over ${CONNECTIONS} connections: no error, and flat memory`, async t => {
  const { proxyUrl, ca, heap } = await startMeasuredServer(t)
  const host = 'wv-gen.test.expressplay.com'
  const path = `/hms/wv/token?${form({}, { name: 'widevine' })}`
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => tunnel(portOf(proxyUrl), ca, host)))
  let failed = 0
  const send = (requests: number) =>
    Promise.all(
      sockets.map(async socket => {
        for (let count = 0; count < requests / CONNECTIONS; count += 1)
          if (!WIDEVINE_TOKEN.test(await get(socket, path, host))) failed += 1
      }),
    )
  await send(REQUESTS / 5)
  const early = await heap()
  await send((REQUESTS * 4) / 5)
  const late = await heap()
  t.equal(failed, 0)
  t.ok(
    late < early * 1.05,
    `the heap was ${early} bytes after a fifth of the requests, and is ${late} after all of them`,
  )
  for (const socket of sockets) socket.destroy()
})

const WIDEVINE_TOKEN = /\r\n\r\nhttps:\/\/wv\.test\.expressplay\.com\/hms\/wv\/rights\/\?ExpressPlayToken=/

/** A server in a process of its own, because that of the tests holds what they send and get. */
async function startMeasuredServer(t: Test) {
  const program = `
    import { startServer } from ${JSON.stringify(resolve('dist/index.js'))}
    const { proxyUrl, ca } = await startServer({ proxy: true })
    process.on('message', () => {
      gc()
      process.send(process.memoryUsage().heapUsed)
    })
    process.send({ proxyUrl, ca })`
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '--eval', program], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const answer = async () => (await once(child, 'message'))[0]
  const started: { proxyUrl: string; ca: string } = await answer()
  return {
    ...started,
    heap: (): Promise<number> => {
      const measured = answer()
      child.send('measure')
      return measured
    },
  }
}

t.test('a gateway has no proxy', async t => {
  const settings = { MODE: 'gateway', PROXY_PORT: '0' }
  await t.rejects(startTestServer(t, { settings }), { message: /PROXY_PORT is for MODE=emulate and MODE=replay/ })
})
