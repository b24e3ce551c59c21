import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, truncateSync } from 'node:fs'
import { watch } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { program, startCommand } from './process.js'

const settings = { PORT: '0', DATA_DIR: '' }
const listening = /listening on +(http:\/\/127\.0\.0\.1:\d+)/
/** There, files can be full on command. */
const LINUX = { skip: process.platform === 'linux' ? false : '/dev/full is there on Linux only' }
/** As long as a line can get: an unknown path is in it. */
const PATH = `/${'a'.repeat(24)}`.repeat(8)

t.test('lines that a stalled reader leaves no room for are dropped and counted, and the service goes on', async t => {
  t.testdir()
  const server = startCommand(t, ['serve'], settings)
  const [, url = ''] = await server.printed(listening)
  server.child.stdout?.pause()
  const requests = 14_000
  await askOften(url, requests)
  t.equal((await fetch(`${url}/readyz`)).status, 200)
  server.child.stdout?.resume()
  const [, dropped] = await server.printed(/"dropped":(\d+)/)
  await (await fetch(`${url}/healthz`)).text()
  server.child.kill('SIGTERM')
  const { code, stdout } = await server.ended
  t.equal(code, 0)
  const lines = linesOf(stdout)
  const written = lines.filter(({ msg, route }) => msg === 'answered' && route !== '/healthz').length
  t.ok(Number(dropped) > 0 && written > 0)
  t.equal(Number(dropped) + written, requests + 1, 'each was written or counted')
  t.match(lines.at(-1), { msg: 'stopped' }, 'and the log is whole again')
})

t.test('a reader that has stalled does not hold up the end', async t => {
  t.testdir()
  const server = startCommand(t, ['serve'], settings)
  const [, url = ''] = await server.printed(listening)
  server.child.stdout?.pause()
  await askOften(url, 1000)
  server.child.kill('SIGTERM')
  t.equal((await once(server.child, 'exit'))[0], 0, 'long before SHUTDOWN_TIMEOUT, which has exit code 1')
})

t.test('the service goes on when nobody reads its log any more', async t => {
  t.testdir()
  const server = startCommand(t, ['serve'], settings)
  const [, url = ''] = await server.printed(listening)
  server.child.stdout?.destroy()
  await askOften(url, 300)
  t.equal((await fetch(`${url}/readyz`)).status, 200)
  server.child.kill('SIGTERM')
  t.equal((await once(server.child, 'exit'))[0], 0)
})

t.test('the service goes on when its log is on a full disk', LINUX, async t => {
  t.testdir()
  const full = openSync('/dev/full', 'w')
  const child = startWith(t, program, ['ignore', full, 'pipe'])
  closeSync(full)
  const [, url = ''] = await found(child.stderr, listening)
  await askOften(url, 300)
  t.equal((await fetch(`${url}/readyz`)).status, 200)
  child.kill('SIGTERM')
  t.equal((await once(child, 'exit'))[0], 0)
})

t.test('when the disk has room again the log goes on where it stopped', LINUX, async t => {
  const log = join(t.testdir({ log: '' }), 'log')
  // A file may have 2,048 bytes here: the next write fails, as on a full disk.
  const shell = ['/bin/sh', '-c', 'ulimit -f 4 && exec "$@" >> log 2> /dev/full', 'sh', ...program]
  const child = startWith(t, shell, ['ignore', 'ignore', 'ignore'])
  const url = await inFile(log, text => /"url":"([^"]+)".*\n/.exec(text)?.[1])
  const ids: (string | null)[] = []
  for (let requests = 0; requests < 10; requests++) {
    const answer = await fetch(`${url}${PATH}`)
    ids.push(answer.headers.get('x-request-id'))
    await answer.text()
  }
  const first = await inFile(log, text => (text.length === 2048 ? text : undefined))
  truncateSync(log)
  const second = await inFile(log, text => (text.includes(`${ids.at(-1)}`) ? text : undefined))
  const written = linesOf(first + second).flatMap(({ requestId }) => (typeof requestId === 'string' ? [requestId] : []))
  t.same(written, ids, 'each line once and whole')
  child.kill('SIGTERM')
  t.equal((await once(child, 'exit'))[0], 0)
})

/** In the folder of the test, with outputs of its own. */
function startWith(t: Test, command: readonly string[], stdio: (number | 'ignore' | 'pipe')[]): ChildProcess {
  const [name = '', ...args] = command
  const child = spawn(name, [...args, 'serve'], {
    cwd: t.testdirName,
    env: { PATH: process.env.PATH ?? '', ...settings },
    stdio,
  })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

async function found(stream: NodeJS.ReadableStream | null, pattern: RegExp): Promise<RegExpExecArray> {
  let text = ''
  for await (const chunk of stream ?? []) {
    text += chunk
    const match = pattern.exec(text)
    if (match !== null) return match
  }
  throw new Error(`there is no ${pattern} in ${text}`)
}

/** What is found in a file, as soon as it is there. */
async function inFile(path: string, find: (text: string) => string | undefined): Promise<string> {
  for await (const _ of changesOf(path)) {
    const match = find(readFileSync(path, 'utf8'))
    if (match !== undefined) return match
  }
  throw new Error(`nothing changes ${path} any more`)
}

async function* changesOf(path: string): AsyncGenerator<void> {
  const changes = watch(path)
  yield
  for await (const _ of changes) yield
}

/** Sends so many requests on one connection, and reads all answers. */
async function askOften(url: string, requests: number): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const request = `GET ${PATH} HTTP/1.1\r\nHost: x\r\n\r\n`
  const AT_ONCE = 8
  let asked = 0
  let answered = 0
  for (let sent = 0; sent < AT_ONCE; sent++) asked += Number(socket.write(request))
  for await (const chunk of socket.setEncoding('latin1')) {
    const answers = String(chunk).split('HTTP/1.1 404').length - 1
    answered += answers
    for (let more = Math.min(answers, requests - asked); more > 0; more--) {
      socket.write(request)
      asked += 1
    }
    if (answered >= requests) break
  }
}

function linesOf(log: string): Record<string, unknown>[] {
  return log
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Record<string, unknown>) // pino writes objects
}
