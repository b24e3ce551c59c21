import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { builtFile } from '../../src/ground/own-package.js'

const run = promisify(execFile)

t.test('the first start leaves a cache of compiled code, and the next start uses it', async t => {
  const folder = install(t)
  await startIn(folder)
  const files = cacheFiles(folder)
  t.ok(
    files.some(file => file.startsWith('server-')),
    'of the server',
  )
  t.notOk(files.some(file => /\.\d+-\d+$/.test(file)))
  const before = files.map(file => versionOf(folder, file))
  await startIn(folder)
  t.strictSame(
    cacheFiles(folder).map(file => versionOf(folder, file)),
    before,
    'nothing was compiled that had to be stored',
  )
})

t.test('a cache that V8 refuses, or that is damaged, is replaced', async t => {
  const folder = install(t)
  await startIn(folder)
  const [file = ''] = cacheFiles(folder)
  const path = join(folder, 'dist/compiled', file)
  const right = readFileSync(path)
  const refused = right.subarray(32, 100)
  const damaged = Buffer.from(right)
  damaged.writeUInt8(right.readUInt8(right.length >> 1) ^ 1, right.length >> 1)
  const digest = (data: Buffer) => createHash('sha256').update(data).digest()
  for (const wrong of [Buffer.concat([digest(refused), refused]), damaged, right.subarray(0, 16)]) {
    writeFileSync(path, wrong)
    await startIn(folder)
    const written = readFileSync(path)
    t.notOk(written.equals(wrong))
    t.strictSame(written.subarray(0, 32), digest(written.subarray(32)))
  }
})

t.test('a package that cannot be written to starts all the same', async t => {
  const folder = install(t)
  writeFileSync(join(folder, 'dist/compiled'), 'no folder')
  await t.resolves(startIn(folder))
})

t.test('NODE_DISABLE_COMPILE_CACHE switches it off', async t => {
  const folder = install(t)
  await startIn(folder, { NODE_DISABLE_COMPILE_CACHE: '1' })
  t.strictSame(cacheFiles(folder), [])
})

t.test('a command leaves none, because a start needs more than it compiles', async t => {
  const folder = install(t)
  const token = [join(folder, 'dist/cli.js'), 'token', '--url', 'http://127.0.0.1:1']
  await t.rejects(run(process.execPath, token, { env: { DATA_DIR: '' } }), { code: 2 })
  t.strictSame(cacheFiles(folder), [])
})

t.test('import and require give the same library', async t => {
  const folder = install(t)
  const script = `
    import * as library from './dist/index.js'
    import { createRequire } from 'node:module'
    const required = createRequire(import.meta.url)('./dist/index.cjs')
    for (const name of Object.keys(library)) if (library[name] !== required[name]) throw new Error(name)`
  writeFileSync(join(folder, 'both.mjs'), script)
  await t.resolves(run(process.execPath, [join(folder, 'both.mjs')]))
})

/** The package, in a folder of its own. */
function install(t: Test): string {
  const folder = t.testdir()
  for (const name of ['chunks', 'index.js', 'index.cjs', 'cli.js', 'sqlite-tables.sql'])
    cpSync(builtFile(name), join(folder, 'dist', name), { recursive: true })
  cpSync(builtFile('../package.json'), join(folder, 'package.json'))
  for (const name of ['web', 'docs-page']) mkdirSync(join(folder, 'dist', name))
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  return folder
}

async function startIn(folder: string, env: NodeJS.ProcessEnv = {}): Promise<void> {
  writeFileSync(
    join(folder, 'start.mjs'),
    "import { startServer } from './dist/index.js'\nawait (await startServer()).close()",
  )
  await run(process.execPath, [join(folder, 'start.mjs')], { env })
}

function cacheFiles(folder: string): string[] {
  try {
    return readdirSync(join(folder, 'dist/compiled')).sort()
  } catch {
    return []
  }
}

function versionOf(folder: string, file: string): number {
  return statSync(join(folder, 'dist/compiled', file)).ino
}
