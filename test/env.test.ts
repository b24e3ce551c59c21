import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { startTestServer } from './harness.js'
import { runCommand, startCommand } from './process.js'
import { LICENCE_URL, runStorefront, sources, withoutJava } from './storefronts.js'

const run = promisify(execFile)
t.test('Python (urllib) reaches the server under its real name', async t => {
  t.match(await runStorefront(t, 'python', 'python3 storefront.py'), LICENCE_URL)
})

t.test('curl does', async t => t.match(await runStorefront(t, 'curl', 'sh storefront.sh'), LICENCE_URL))

t.test('a host of somebody else is refused', async t => {
  const refused = await runStorefront(t, 'curl', 'curl -sS https://www.example.com/ 2>&1 || true')
  t.match(refused, 'CONNECT tunnel failed, response 403')
})

t.test('Node (fetch) does', async t => {
  const node = await nodeWithProxies()
  t.match(await runStorefront(t, 'node', `'${node}' storefront.mjs`), LICENCE_URL)
})

t.test('Node (undici) does', async t => {
  const node = await nodeWithProxies()
  t.match(await runStorefront(t, 'node', `'${node}' storefront-undici.mjs`), LICENCE_URL)
})

t.test('Node (axios) does, on every Node', async t => {
  for (const node of new Set([process.execPath, await nodeWithProxies()]))
    t.match(
      await runStorefront(t, 'node', `'${node}' storefront-axios.mjs`),
      /licenseAcquisitionUrl: 'https:\/\/wv\.test\.expressplay\.com\/hms\/wv\/rights\/',\s*token: '[\w-]+'/,
    )
})

t.test('Java (HttpClient) does, and keeps the options of its user', { skip: withoutJava() }, async t => {
  t.match(await runStorefront(t, 'java', 'java Storefront.java'), LICENCE_URL)
  const { stdout } = await runCommand(t, ['env', '--for', 'java'], {
    ...{ PROXY_PORT: '8888', DATA_DIR: t.testdirName },
    JAVA_TOOL_OPTIONS: '-Xmx64m "-Da=b c" -Dhttps.proxyHost=proxy.example.com',
  })
  t.match(stdout, /^export JAVA_TOOL_OPTIONS='-Xmx64m "-Da=b c" -Djavax/m)
  t.notMatch(stdout, 'proxy.example.com')
})

let foundNode: Promise<string> | undefined

function nodeWithProxies(): Promise<string> {
  foundNode ??= findNodeWithProxies()
  return foundNode
}

/** Node reads the proxy of the environment since 22.21 and 24.5. */
async function findNodeWithProxies(): Promise<string> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21)) return process.execPath
  const { stdout } = await run('npx', ['--yes', '--prefer-offline', '--package', 'node@24', '--', 'sh', '-c', WHICH])
  return stdout.trim()
}

const WHICH = 'node -p process.execPath'

t.test('a command gets an emulator of its own, which leaves nothing behind', async t => {
  const folder = t.testdir({ ...sources, tmp: {} })
  // Variables that programs under test have for themselves.
  const foreign = {
    ...{ PORT: '1', HOST: 'nowhere.example.com', PUBLIC_URL: 'https://shop.example', DATABASE_URL: 'mysql://x' },
    ...{ ENVIRONMENT: 'staging', LOG_LEVEL: 'INFO' },
  }
  const env = { ...foreign, TMPDIR: join(folder, 'tmp'), HOME: process.env.HOME ?? '' }
  const job = startCommand(t, ['env', '--', 'python3', 'storefront.py'], env)
  t.match(await job.ended, { code: 0, stdout: LICENCE_URL, stderr: /^$/ })
  t.same(readdirSync(join(folder, 'tmp')), [])
  t.same(readdirSync(folder).sort(), [...Object.keys(sources), 'tmp'].sort())
  const shown = startCommand(t, ['env', '--', 'sh', '-c', 'echo "$PORT $NO_PROXY"'], { ...env, NO_PROXY: '*,db.local' })
  t.match(await shown.ended, { code: 0, stdout: '1 localhost,127.0.0.1,::1,db.local\n' })
})

t.test('its input, outputs, exit code and signals are those of the command', async t => {
  const DATA_DIR = t.testdir()
  const { url } = await startTestServer(t, { proxy: true })
  const start = (args: string[], input = '') =>
    startCommand(t, ['env', '--url', url, ...args], { DATA_DIR, PROXY_PORT: '1', DATABASE_URL: 'mysql://x' }, { input })
  const long = 'x'.repeat(200_000)
  const copied = start(['--', 'sh', '-c', 'cat; echo wrong >&2; exit 7'], long)
  t.same(await copied.ended, { code: 7, stdout: long, stderr: 'wrong\n' })

  const waits = "console.log('ready'); setInterval(() => {}, 1e6)"
  const listens = `process.on('SIGTERM', () => process.exit(3)); ${waits}`
  for (const [job, code] of [
    [start(['--', process.execPath, '-e', waits]), 143],
    [startCommand(t, ['env', '--', process.execPath, '-e', listens]), 3],
  ] as const) {
    await job.printed(/ready/)
    job.child.kill('SIGTERM')
    t.match(await job.ended, { code })
  }

  const missing = start(['--', 'no-such-program'])
  t.same(await missing.ended, { code: 127, stdout: '', stderr: 'no-such-program: there is no such program\n' })
  const help = start(['--for', 'go', process.execPath, '--help'])
  t.match(await help.ended, { code: 0, stdout: /^Usage: node/ }, 'options after the command are its own')
})

t.test('a command gets no gateway, and its user learns what to do instead', async t => {
  t.testdir()
  const settings = { MODE: 'gateway', ACCOUNTS_FILE: 'accounts.json', PROXY_PORT: '8888' }
  const refused = await runCommand(t, ['env', '--', 'true'], settings)
  t.match(refused, { code: 1, stdout: '', stderr: /MODE=gateway.*--url/ })
  t.notMatch(refused.stderr, 'PROXY_PORT')
})

t.test('every shell gets its own form, and all programs theirs', async t => {
  const folder = join(t.testdir(), "it's here")
  mkdirSync(folder)
  const settings = { DATA_DIR: folder, PROXY_PORT: '8888' }
  const bundle = join(folder, 'tls/clients/bundle.pem')
  const ca = join(folder, 'tls/clients/ca.pem')
  const { stdout: all } = await runCommand(t, ['env'], settings)
  t.same(
    all.split('\n').map(line => line.replace(/=.*/, '')),
    [
      ...['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy'],
      ...['NODE_EXTRA_CA_CERTS', 'NODE_USE_ENV_PROXY', 'SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE'],
      ...['JAVA_TOOL_OPTIONS', 'PHP_INI_SCAN_DIR', 'CURL_CA_BUNDLE'],
    ]
      .map(name => `export ${name}`)
      .concat(''),
  )
  const fish = await runCommand(t, ['env', '--for', 'go', '--shell', 'fish'], settings)
  t.match(fish.stdout, "set -gx HTTPS_PROXY 'http://127.0.0.1:8888'\n")
  t.match(fish.stdout, `set -gx SSL_CERT_FILE '${bundle.replace("'", "\\'")}'\n`)
  const powershell = await runCommand(t, ['env', '--for', 'node', '--shell', 'powershell'], settings)
  t.match(powershell.stdout, `$env:NODE_EXTRA_CA_CERTS = '${ca.replace("'", "''")}'\n`)
  t.match(await runCommand(t, ['env', '--for', 'cobol'], settings), { code: 1, stderr: /Allowed choices are node/ })
  t.equal(readFileSync(ca, 'utf8'), readFileSync(join(folder, 'tls/ca.pem'), 'utf8'), 'the one that serve will use')
  t.ok(readFileSync(bundle, 'utf8').split('BEGIN').length > 50, "and the system's beside it")
})

t.test('without a proxy only trust is printed, and without a server what is missing is said', async t => {
  const DATA_DIR = t.testdir()
  const printed = await runCommand(t, ['env', '--for', 'python'], { DATA_DIR })
  t.match(printed, {
    code: 0,
    stderr: /PROXY_PORT/,
    stdout: /^export SSL_CERT_FILE=.*\nexport REQUESTS_CA_BUNDLE=.*\n$/,
  })
  const absent = await runCommand(t, ['env', '--url', 'http://127.0.0.1:1'], { DATA_DIR })
  t.match(absent, { code: 2, stdout: '', stderr: /^No answer from http:\/\/127\.0\.0\.1:1: / })
  const { url } = await startTestServer(t)
  t.match(await runCommand(t, ['env', '--url', url], { DATA_DIR }), { code: 2, stderr: /no authority of its own/ })
  const guarded = await startTestServer(t, { proxy: true, settings: { ADMIN_TOKEN: 'only-for-administrators' } })
  t.match(await runCommand(t, ['env', '--url', guarded.url], { DATA_DIR }), { code: 0 }, 'trust takes no secret')
  t.match(await runCommand(t, ['env', '--url', 'nonsense'], { DATA_DIR }), { code: 2, stderr: /the URL is wrong/ })
})
