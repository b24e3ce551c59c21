import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { resolve } from 'node:path'
import t, { type Test } from 'tap'

const program = resolve('dist/test/runner/main.js')

/** Makes a folder with these test files, whose text is the built one too, and nothing of ours around them. */
function folderWith(t: Test, files: Record<string, string>) {
  const tests: Record<string, Record<string, string>> = {}
  const built: Record<string, Record<string, string>> = {}
  for (const [path, text] of Object.entries(files)) {
    const [folder = '', name = ''] = path.split('/')
    tests[folder] = { ...tests[folder], [`${name}.test.ts`]: text }
    built[folder] = { ...built[folder], [`${name}.test.js`]: `import t from 'tap'\n${text}` }
  }
  const cwd = t.testdir({ 'package.json': '{"type":"module"}', test: tests, dist: { test: built } })
  return { cwd, env: { PATH: process.env.PATH ?? '', TEST_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' } }
}

function run(t: Test, files: Record<string, string>, args: string[] = [], env: Record<string, string> = {}) {
  const folder = folderWith(t, files)
  const options = { ...folder, env: { ...folder.env, ...env } }
  return new Promise<{ code: number; output: string }>(done => {
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) =>
      done({ code: Number(error?.code ?? 0), output: stdout + stderr }),
    )
  })
}

const passing = "t.test('works', async t => { t.pass('one'); t.pass('two') })"

t.test('the last line counts the assertions of all files', async t => {
  const { code, output } = await run(t, { 'a/one': passing, 'b/two': passing })
  t.equal(code, 0)
  t.match(output, /\n4 passed, 0 failed\n$/)
})

t.test('a failure is shown once, at the end, with what its file printed', async t => {
  const failing = "t.test('adds', async t => { console.error('a hint'); t.equal(1 + 1, 3, 'the sum') })"
  const { code, output } = await run(t, { 'a/sums': failing, 'a/works': passing })
  t.equal(code, 1)
  t.equal(output.split('FAILED').length, 2)
  t.match(output, /FAILED {2}test\/a\/sums\.test\.ts > adds > the sum\n.*-3.*\+2.*a hint.*\n2 passed, 1 failed\n$/s)
})

t.test('a file that breaks off, or that has no test, has failed, and the others are run', async t => {
  const files = {
    'a/broken': "throw new Error('broken')",
    'a/ended': "t.test('ends', async t => { t.pass(); process.exit(3) })",
    'a/thrown': "t.test('throws later', t => { setTimeout(() => { throw new Error('too late') }) })",
    'a/empty': '',
    'a/works': passing,
    'a/last': passing,
  }
  const { code, output } = await run(t, files)
  t.equal(code, 1)
  t.match(output, /FAILED {2}test\/a\/broken\.test\.ts.*broken/s)
  t.match(output, /FAILED {2}test\/a\/ended\.test\.ts > ends > test unfinished/)
  t.match(output, /FAILED {2}test\/a\/thrown\.test\.ts > throws later > .*too late/s)
  t.match(output, /FAILED {2}test\/a\/empty\.test\.ts\n.*no test/)
  t.match(output, /\n5 passed, 4 failed\n$/)
  t.equal(output.split('FAILED').length, 1 + 4)
})

t.test('what is skipped is named with its reason and counted, and fails with CI=true', async t => {
  const skipping = "t.test('needs a disk', { skip: 'no disk here' }, async () => {})"
  const files = { 'a/disk': skipping, 'browser/page': passing, 'a/works': passing }
  const absent = { CHROMIUM_PATH: '/there/is/none' }
  const { code, output } = await run(t, files, [], absent)
  t.equal(code, 0)
  t.match(output, /skipped {2}test\/a\/disk\.test\.ts > needs a disk: no disk here\n/)
  t.match(output, /skipped {2}test\/browser\/page\.test\.ts: .*CHROMIUM_PATH/)
  t.match(output, /\n2 passed, 0 failed, 2 skipped\n$/)

  const strict = await run(t, files, [], { ...absent, CI: 'true' })
  t.equal(strict.code, 1)
  t.match(strict.output, /\n2 passed, 2 failed\n$/)
})

t.test('--long runs the long files and those that repeat something, and says so to them', async t => {
  const long = "t.equal(process.env.LONG, 'true')"
  const files = { 'a/image.long': long, 'a/repeats': `// from '../counts.js'\n${long}`, 'a/short': passing }
  t.match((await run(t, files, ['--long'])).output, /\n2 passed, 0 failed\n$/)
  const usual = { 'a/image.long': "t.fail('too long')", 'a/short': passing }
  t.match((await run(t, usual)).output, /\n2 passed, 0 failed\n$/)
})

t.test('--all runs every file once, in its long form, and --times tells how long each took', async t => {
  const long = "t.equal(process.env.LONG, 'true')"
  const files = { 'a/image.long': long, 'a/repeats': `// from '../counts.js'\n${long}`, 'a/short': passing }
  const { output } = await run(t, { ...files, 'smoke/smoke': "t.fail('for another Node')" }, ['--all', '--times'])
  t.match(output, /\n4 passed, 0 failed\n$/)
  for (const name of ['image.long', 'repeats', 'short'])
    t.match(output, new RegExp(`^ +\\d+\\.\\d s {2}test/a/${name}\\.test\\.ts$`, 'm'))
})

t.test('files and folders can be named, and a name that is neither is an error', async t => {
  const files = { 'a/one': passing, 'b/two': passing, 'b/three': passing }
  t.match((await run(t, files, ['test/b'])).output, /\n4 passed, 0 failed\n$/)
  t.match((await run(t, files, ['test/a/one.test.ts'])).output, /\n2 passed, 0 failed\n$/)
  const unknown = await run(t, files, ['test/c'])
  t.equal(unknown.code, 1)
  t.match(unknown.output, /test\/c is neither a test file nor a folder with one/)
})

t.test('a runner that is interrupted ends its tests', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo // of a TCP server
  const hanging = `import { connect } from 'node:net'\nt.test('hangs', t => { connect(${port}, '127.0.0.1') })`
  const runner = spawn(process.execPath, [program], folderWith(t, { 'a/hangs': hanging }))
  const [socket] = (await once(server, 'connection')) as [Socket]
  socket.on('error', () => {}) // a killed process may reset it
  const ended = once(runner, 'close')
  runner.kill('SIGINT')
  await Promise.all([ended, once(socket.resume(), 'close')])
  t.same(await ended, [130, null])
})
