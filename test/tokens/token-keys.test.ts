import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import fs, { chmodSync, linkSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { CertificateFolder } from '../../src/certificates/certificate-folder.js'
import { onBothEngines } from '../engines.js'
import { startTestServer } from '../harness.js'

const KEY = `${'0123456789abcdef'.repeat(4)}\n`

t.test('drafts of starts that were killed are no obstacle, and are removed', async t => {
  const folder = t.testdir({ [`token.keys.${process.pid}`]: '', 'token.keys.7': KEY.slice(0, 20) })
  writeFileSync(join(folder, `token.keys.${randomUUID()}.draft`), KEY)
  await start(t, folder)
  t.same(readdirSync(folder), ['token.keys'])

  // Killed between giving the file its name and taking the draft's away.
  linkSync(join(folder, 'token.keys'), join(folder, `token.keys.${process.pid}`))
  await start(t, folder)
  t.same(readdirSync(folder), ['token.keys'])
})

t.test('a file that may be a copy of former keys stays, and the log says so', async t => {
  const folder = t.testdir({ 'token.keys.1': KEY, 'token.keys.bak': KEY })
  const { log } = await start(t, folder)
  t.same(readdirSync(folder), ['token.keys', 'token.keys.1', 'token.keys.bak'])
  t.equal(warnings(log, /unless it is your copy/).length, 1)
})

t.test('what is no file cannot hold the keys', { skip: process.platform === 'win32' && 'it has no pipes' }, async t => {
  const folder = t.testdir()
  execFileSync('mkfifo', ['-m', '600', join(folder, 'token.keys')])
  await t.rejects(start(t, folder), { message: /token\.keys cannot be read: NOT_A_FILE/ })
})

t.test('a new key and its name are on the disk before it is used', async t => {
  const folder = t.testdir()
  const calls = recordCalls(t)
  await start(t, folder)
  t.match(calls, [/^sync token\.keys\.[\w-]+\.draft$/, /^link token\.keys$/, `sync ${basename(folder)}`])
})

t.test('certificates are written the same way', async t => {
  const folder = t.testdir()
  const certificates = new CertificateFolder(folder)
  // As a process with this id left them that was killed.
  for (const name of ['server.key.pem', 'server.pem']) writeFileSync(join(folder, `${name}.${process.pid}`), '')
  writeFileSync(join(folder, `server.pem.${randomUUID()}.draft`), '')
  const calls = recordCalls(t)
  const pair = { cert: 'one', key: 'two' }
  await certificates.keep('server', pair, { replace: false })
  await certificates.keep('server', pair, { replace: true })
  t.match(
    calls,
    ['link', 'rename'].flatMap(publish =>
      ['server.key.pem', 'server.pem'].flatMap(name => [
        new RegExp(`^sync ${name}\\.[\\w-]+\\.draft$`),
        new RegExp(`^${publish} ${name}$`),
        `sync ${basename(folder)}`,
      ]),
    ),
  )
  await t.rejects(certificates.keep('server', { cert: 'x', key: 'y' }, { replace: false }), { code: 'EEXIST' })
  t.equal(readFileSync(join(folder, 'server.key.pem'), 'utf8'), 'two', 'nothing is replaced unasked')
  t.same(
    readdirSync(folder).filter(name => name.endsWith('.draft')),
    [],
  )
})

onBothEngines(t, 'new keys beside a database that is in use are said at the start', async (t, database) => {
  const folder = t.testdir({ data: {} })
  const DATA_DIR = join(folder, 'data')
  const DATABASE_URL = await database()
  const run = async (settings: Record<string, string>) => {
    const server = await startTestServer(t, { settings: { DATABASE_URL, ...settings } })
    await server.get({ kid: 'short' })
    await server.close()
    return warnings(server.log, /the token keys are new and the database is not/).length
  }
  t.equal(await run({ DATA_DIR }), 0, 'both are new')
  t.equal(await run({ DATA_DIR }), 0, 'both are there')
  rmSync(join(DATA_DIR, 'token.keys'))
  t.equal(await run({ DATA_DIR }), 1, 'the keys were lost')
  t.equal(await run({ DATA_DIR }), 0)
  t.equal(await run({ DATA_DIR: '' }), 1, 'keys of this process alone')
  t.equal(await run({ DATA_DIR: '', TOKEN_KEYS: KEY.trim() }), 0, 'keys that were given are not new')
})

t.test('who may use the file of the keys', { skip: process.platform === 'win32' && 'it has no modes' }, async t => {
  const folder = t.testdir({ 'token.keys': KEY })
  const path = join(folder, 'token.keys')
  for (const [mode, count] of [
    [0o600, 0],
    [0o400, 0],
    [0o640, 1],
    [0o660, 1],
    [0o644, 1],
  ] as const) {
    chmodSync(path, mode)
    const { log } = await start(t, folder)
    t.equal(warnings(log, /other users of this machine can use the token keys/).length, count, mode.toString(8))
  }
  chmodSync(path, 0o666)
  await t.rejects(start(t, folder), { message: /token\.keys can be written by every user .*0666.*chmod 600/ })
  t.same(readdirSync(folder), ['token.keys'], 'and nothing is left of finding out')
})

function start(t: Test, DATA_DIR: string) {
  return startTestServer(t, { settings: { DATA_DIR, DATABASE_URL: 'memory:' } })
}

function warnings(log: readonly string[], text: RegExp): string[] {
  return log.filter(line => line.includes('"level":40') && text.test(line))
}

/** What is asked of the system from now on, in its order: files that are synced, and names that files get. */
function recordCalls(t: Test): string[] {
  const calls: string[] = []
  const { fsyncSync, linkSync, renameSync } = fs
  Object.assign(fs, {
    fsyncSync: (file: number) => {
      calls.push(`sync ${basename(readlinkSync(`/proc/self/fd/${file}`))}`)
      fsyncSync(file)
    },
    linkSync: (from: string, to: string) => {
      calls.push(`link ${basename(to)}`)
      linkSync(from, to)
    },
    renameSync: (from: string, to: string) => {
      calls.push(`rename ${basename(to)}`)
      renameSync(from, to)
    },
  })
  syncBuiltinESMExports()
  t.teardown(() => {
    Object.assign(fs, { fsyncSync, linkSync, renameSync })
    syncBuiltinESMExports()
  })
  return calls
}
