import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { readConfig } from '../src/config/config.js'
import { licenceHostOf, realHosts } from '../src/ground/real-hosts.js'
import { startTestServer } from './harness.js'
import { makeNamespace, type NamespaceOptions, whyNoNamespace } from './namespace.js'
import { runCommand, startCommand } from './process.js'
import { LICENCE_URL, page, sources, withoutJava } from './storefronts.js'

const run = promisify(execFile)

/** As the documentation has it. */
const [, hostsLine = ''] = /^echo '(127\.0\.0\.1 .*)' \| sudo tee -a \/etc\/hosts$/m.exec(page) ?? []
const [, settings = ''] = /^(TLS=.*) npx expressplay-token-backend serve$/m.exec(page) ?? []

const FOREIGN = 'www.example.com'
const UNKNOWN = 'www.example.org'
const FILES = {
  ...sources,
  hosts: `127.0.0.1 localhost\n${hostsLine}\n127.0.0.1 ${FOREIGN}\n`,
  'nsswitch.conf': 'hosts: files\n',
}

/** A machine of its own, as far as names and ports go: no packet leaves it. */
const namesOf = (folder: string): NamespaceOptions => ({
  kinds: ['--mount', '--net'],
  script: 'ip link set lo up; for file in hosts nsswitch.conf; do mount --bind "$1/$file" "/etc/$file"; done',
  parameters: [folder],
})

interface Program {
  readonly name: 'python' | 'node' | 'java' | 'curl'
  readonly command: string
  /** What it says of a server that it does not trust. */
  readonly distrust: RegExp
  readonly skip?: string | false
}

const PROGRAMS: readonly Program[] = [
  { name: 'python', command: 'python3 storefront.py', distrust: /CERTIFICATE_VERIFY_FAILED/ },
  { name: 'node', command: `'${process.execPath}' storefront.mjs`, distrust: /SELF_SIGNED_CERT_IN_CHAIN/ },
  { name: 'java', command: 'java Storefront.java', distrust: /PKIX path building failed/, skip: withoutJava() },
  { name: 'curl', command: 'sh storefront.sh', distrust: /curl: \(60\)/ },
]

const missing = await whyNoNamespace(namesOf(t.testdir(FILES)))

// A machine for CI may be a container without that right, and what is skipped there counts as failed.
if (missing !== false && process.env.CI === 'true') t.comment(`programs were not run under the real names: ${missing}`)
else
  t.test('programs reach the server under its real names, on port 443', { skip: missing }, async t => {
    const { variables, inNamespace } = await startUnderRealNames(t)
    for (const { name, command, distrust, skip = false } of PROGRAMS)
      await t.test(name, { skip }, async t => {
        const { stdout } = await inNamespace(`${await variables(name)}\n${command}`)
        t.match(stdout, LICENCE_URL)
        await t.rejects(inNamespace(command), { message: distrust }, 'not without its authority')
      })

    await t.test('licence URLs lead to it too', async t => {
      const { stdout } = await inNamespace(
        `${await variables('curl')}\ncurl -sS --data-binary x -D - "$(sh storefront.sh)"`,
      )
      t.match(stdout, /^x-request-id: /m)
    })

    await t.test('it answers for no other name', async t => {
      const trusting = `${await variables('curl')}\ncurl -sS`
      const mismatch = /curl: \(60\).*(?:no alternative certificate subject name matches|does not match)/s
      await t.rejects(inNamespace(`${trusting} https://${FOREIGN}/healthz`), { message: mismatch })
      await t.rejects(
        inNamespace(`${trusting} https://${UNKNOWN}/healthz`),
        { message: /curl: \(6\)/ },
        'nor are others resolved',
      )
    })
  })

interface ComposeService {
  readonly environment: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, unknown>>
  readonly command?: readonly string[]
  readonly volumes?: readonly string[]
}

interface Compose {
  readonly services: {
    readonly drm: ComposeService & { readonly networks: { readonly default: { readonly aliases: readonly string[] } } }
    readonly trust: ComposeService
    readonly storefront: ComposeService
  }
  readonly volumes: Readonly<Record<string, unknown>>
}

const [, composeText = ''] = /^```yaml\n(services:.*?)^```/ms.exec(page) ?? []

t.test('the Docker Compose sample: names that the server answers for, settings and files that exist', async t => {
  const { services, volumes }: Compose = parse(composeText, { strict: true })
  const { drm, trust, storefront } = services
  t.match(readConfig(drm.environment), { TLS_PORT: 443, tls: { kind: 'development' } })
  const { aliases } = drm.networks.default
  t.same(
    aliases.filter(alias => !realHosts().includes(alias)),
    [],
  )
  const licenceHosts = aliases.flatMap(alias => {
    const [, label] = /^(\w+)-gen\./.exec(alias) ?? []
    return label === undefined ? [] : [licenceHostOf(alias, label)]
  })
  t.ok(licenceHosts.length > 0)
  t.same(
    licenceHosts.filter(host => !aliases.includes(host)),
    [],
    'licence URLs lead to it too',
  )
  for (const { depends_on: others = {}, volumes: mounts = [] } of Object.values(services) as ComposeService[]) {
    for (const other of Object.keys(others)) t.hasProp(services, other)
    for (const mount of mounts) t.hasProp(volumes, mount.split(':')[0] ?? '')
  }

  const { url } = await startTestServer(t, { tls: 'development' })
  const command = (trust.command ?? []).map(part => (part === 'http://drm:8080' ? url : part))
  t.ok(command.includes(url))
  const { DATA_DIR = '' } = trust.environment
  const folder = t.testdir({})
  const { code, stdout } = await runCommand(t, command, { ...trust.environment, DATA_DIR: folder })
  t.equal(code, 0)
  const printed = stdout.replaceAll(folder, DATA_DIR)
  for (const [name, value] of Object.entries(storefront.environment))
    t.match(printed, new RegExp(`^export ${name}='?${value}'?$`, 'm'), `${name} is what env prints`)
})

async function startUnderRealNames(t: Test) {
  const DATA_DIR = t.testdir({})
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(DATA_DIR, name), text)
  const { within, close } = await makeNamespace(namesOf(DATA_DIR))
  t.teardown(close)
  const env = Object.fromEntries(settings.split(' ').map(setting => setting.split('=')))
  const server = startCommand(t, ['serve'], { ...env, DATA_DIR }, { within })
  await server.printed(/"msg":"listening"/)
  const [enter, ...args] = within
  return {
    /** What makes a program trust the server. */
    variables: async (program: string) => (await runCommand(t, ['env', '--for', program], { DATA_DIR })).stdout,
    // Entering a mount namespace leads to its root folder.
    inNamespace: (script: string) =>
      run(enter, [...args, 'sh', '-c', `cd '${DATA_DIR}'\n${script}`], {
        env: { PATH: process.env.PATH, HOME: process.env.HOME },
      }),
  }
}
