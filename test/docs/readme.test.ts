import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { startCommand } from '../process.js'

const run = promisify(execFile)
const text = readFileSync('README.md', 'utf8')
const blocks = [...text.matchAll(/^```(\w+)\n(.*?)^```/gms)].map(([, language = '', code = '']) => ({ language, code }))
const scripts = (JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: object }).scripts

t.test('it fits on two screens', async t => t.ok(text.split('\n').length <= 151))

t.test('each request gets the answer that stands behind it', async t => {
  t.testdir({})
  const server = startCommand(t, ['serve'], { PORT: '0', DATA_DIR: '' })
  const [, url = ''] = await server.printed(/(http:\/\/127\.0\.0\.1:\d+)/)
  let requests = 0
  for (const [index, { code }] of blocks.entries()) {
    if (!code.startsWith('curl ')) continue
    const { stdout } = await run('bash', ['-c', code.replaceAll(README_URL, url)])
    const answer = JSON.parse(stdout.replaceAll(url, README_URL))
    t.same(withoutChance(answer), withoutChance(JSON.parse(blocks[index + 1]?.code ?? '')), code)
    requests += 1
  }
  t.equal(requests, 3)
})

t.test('its test of a test suite passes', async t => {
  const [sample] = blocks.filter(({ language }) => language === 'js')
  mkdirSync(join(t.testdir({}), 'node_modules'))
  symlinkSync(resolve('.'), join(t.testdirName, 'node_modules/expressplay-token-backend'))
  writeFileSync(join(t.testdirName, 'token.test.mjs'), sample?.code ?? '')
  const options = { cwd: t.testdirName, env: { PATH: process.env.PATH } }
  const { stdout } = await run(process.execPath, ['--test', 'token.test.mjs'], options)
  t.match(stdout, /^# pass 1$/m)
})

t.test('its gateway starts', async t => {
  const [command] = blocks.filter(({ code }) => code.startsWith('MODE=gateway'))
  const [, settings = '', called] = /^(.*) npx expressplay-token-backend (.*)\n$/.exec(command?.code ?? '') ?? []
  const [, upstream = ''] = /`("upstream": \{.*\})`/.exec(text) ?? []
  const authenticators = { test: '1001,00112233445566778899aabbccddeeff' }
  const account = JSON.stringify({ id: 1001, authenticators, ...JSON.parse(`{${upstream}}`) })
  const accounts = account.replaceAll('<authenticator>', '42,ffeeddccbbaa99887766554433221100')
  t.testdir({ 'accounts.json': `{"accounts":[${accounts}]}` })
  const env = Object.fromEntries(settings.split(' ').map(setting => setting.split('=')))
  const server = startCommand(t, [called ?? ''], { ...env, PORT: '0' })
  await server.printed(/gateway.*pr-gen\.service\.expressplay\.com/s)
})

t.test('its npm scripts are there', async t => {
  const called = [...text.matchAll(/\bnpm (?:run )?(start|test|[\w:]+)(?= |$)/gm)].map(([, name = '']) => name)
  for (const name of called) if (!['ci', 'pack', 'install'].includes(name)) t.hasProp(scripts, name)
  t.ok(called.length >= 7)
})

const README_URL = 'http://127.0.0.1:8080'

/** Tokens, ids and times are new each time. */
function withoutChance(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer), (name, value) =>
    ['token', 'token_id', 'time', 'requestId', 'request_id'].includes(name) ? typeof value : value,
  )
}
