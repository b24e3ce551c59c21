import { type ChildProcess, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { IMAGE_NODE_OPTIONS } from '../../bench/processes.js'
import { sampleParameters } from '../../src/sample.js'
import { buildImage, type Image, inRoot, parseDockerfile, startIn } from './dockerfile.js'

const READY_WITHIN_MS = 30_000

t.setTimeout(10 * 60_000) // npm ci runs twice

const directory = await mkdtemp(join(tmpdir(), 'image-'))
await chmod(directory, 0o755) // the image's user has to get in
t.teardown(async () => {
  execFileSync('chmod', ['-R', 'u+w', directory])
  await rm(directory, { recursive: true })
})
const image = await buildImage(process.cwd(), directory)

t.test('the image runs as nobody special, without a shell in between', async t => {
  t.not(image.user.split(':')[0], '0', 'the user is not root')
  const started = [...image.entrypoint, ...image.command]
  const options = ['--max-semi-space-size=4', '--heap-growing-percent=70', '--no-maglev']
  t.strictSame(started, ['node', ...options, '/app/dist/cli.js', 'serve'])
  t.strictSame(IMAGE_NODE_OPTIONS, options, 'the benchmark has them, too')
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as { scripts: { start: string } } // ours
  const command = started.join(' ').replace('/app/', '')
  t.strictSame(
    scripts.start.match(/node --.*?serve/g),
    [command, command],
    'npm start takes as little memory, also on Windows',
  )
  t.strictSame(image.health, ['node', '/app/dist/cli.js', 'health'], 'no curl or wget, which the base has not')
  t.strictSame(image.ports, [image.environment.PORT], 'the port that it listens on is the one it declares')
  t.strictSame(image.volumes, [image.environment.DATA_DIR])
  t.equal(image.environment.NODE_ENV, 'production')
})

t.test('a step that is not understood is an error, not skipped', async t => {
  t.throws(() => parseDockerfile('FROM node\nADD https://example.com/x /x'), /ADD/)
})

t.test('the image holds no dev dependency', async t => {
  const { devDependencies } = JSON.parse(await readFile('package.json', 'utf8')) as { devDependencies: object } // ours
  const found = Object.keys(devDependencies).filter(name => existsSync(join(image.root, 'app/node_modules', name)))
  t.strictSame(found, [])
})

t.test('the image holds the cache of compiled code, which its user cannot write', async t => {
  const files = await readdir(inRoot(image, '/app/dist/compiled'))
  t.ok(files.some(file => file.startsWith('server-')))
})

t.test('its user can write to the volume and nowhere else', async t => {
  const write = 'fs.accessSync(process.argv[1], fs.constants.W_OK)'
  for (const path of ['/', '/app', '/app/package.json', '/app/dist', '/app/node_modules'])
    t.not(await exitCode(startIn(image, ['node', '-e', write, path], {})), 0, `${path} is read-only`)
  t.equal(await exitCode(startIn(image, ['node', '-e', write, '/data'], {})), 0, '/data can be written to')
})

t.test('it starts, answers, tells its health and stops', async t => {
  const environment = { PORT: String(await freePort()) }
  const health = () => exitCode(startIn(image, image.health, environment))
  const before = await filesOutsideVolumes(image)

  t.equal(await health(), 1, 'not healthy before it is started')
  const container = startIn(image, [...image.entrypoint, ...image.command], environment)
  t.teardown(() => container.kill('SIGKILL'))
  const output = outputOf(container)
  if (!(await becomesReady(container, health))) throw new Error(`it never became healthy: ${output()}`)

  const query = new URLSearchParams(sampleParameters)
  const answer = await fetch(`http://127.0.0.1:${environment.PORT}/hms/pr/token?${query}`)
  t.equal(answer.status, 200)
  t.match(await answer.json(), { token: /^[\w-]{100,}$/ }, 'the published sample gets a token')
  for (const path of ['player', 'player/main.js', 'player/vendor/shaka-player.js', 'player/demo/cenc/video.mp4']) {
    const file = await fetch(`http://127.0.0.1:${environment.PORT}/${path}`)
    t.ok(file.ok && (await file.text()).length > 0, path)
  }

  const exited = once(container, 'exit')
  container.kill(image.stopSignal)
  t.strictSame(await exited, [0, null], 'it drains and ends by itself', { output: output() })
  t.equal(await health(), 1, 'not healthy after it has stopped')

  const keys = await stat(inRoot(image, '/data/token.keys'))
  t.equal(keys.mode & 0o777, 0o600, 'only its user can read the keys')
  const after = await filesOutsideVolumes(image)
  t.strictSame(
    [...after].filter(file => !before.has(file)),
    [],
    'nothing was written outside the volume',
  )
})

async function becomesReady(container: ChildProcess, health: () => Promise<number | null>): Promise<boolean> {
  const deadline = Date.now() + READY_WITHIN_MS
  while (container.exitCode === null && Date.now() < deadline) if ((await health()) === 0) return true
  return false
}

async function exitCode(process: ChildProcess): Promise<number | null> {
  outputOf(process) // read, so that a full pipe can't hold it up
  await once(process, 'close')
  return process.exitCode
}

function outputOf({ stdout, stderr }: ChildProcess): () => string {
  const chunks: string[] = []
  for (const stream of [stdout, stderr]) stream?.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk))
  return () => chunks.join('')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}

async function filesOutsideVolumes({ root, volumes }: Image): Promise<Set<string>> {
  const files = (await readdir(root, { recursive: true })).map(file => `/${file}`)
  return new Set(files.filter(file => !volumes.some(volume => file.startsWith(`${volume}/`))))
}
