import { spawnSync } from 'node:child_process'
import t from 'tap'
import { installPackages } from './debian-packages.js'
import { LICENCE_URL, runStorefront } from './storefronts.js'

/** A language of the documentation that a machine may not have. */
interface Language {
  readonly title: string
  readonly program: string
  readonly file: string
  /** What runs its programs here, if there is one. */
  readonly find: () => string | undefined
  readonly packages: readonly string[]
  readonly env?: Record<string, string>
}

const LANGUAGES: readonly Language[] = [
  {
    ...{ title: 'Python (requests)', program: 'python', file: 'storefront_requests.py' },
    // A Python of the user's own does not see Debian's packages.
    find: () => ['python3', '/usr/bin/python3'].find(python => succeeds(python, '-c', 'import requests')),
    packages: ['python3-requests'],
  },
  {
    ...{ title: 'PHP (curl)', program: 'php', file: 'storefront.php' },
    find: () => (succeeds('php', '-r', 'exit((int) !function_exists("curl_init"));') ? 'php' : undefined),
    packages: ['php-cli', 'php-curl'],
  },
  {
    ...{ title: 'Go (net/http)', program: 'go', file: 'storefront.go' },
    find: () => (succeeds('go', 'version') ? 'go run' : undefined),
    packages: ['golang-go'],
    // It needs no C compiler then.
    env: { CGO_ENABLED: '0' },
  },
]

const isCi = process.env.CI === 'true'
const missing = LANGUAGES.filter(({ find }) => find() === undefined).flatMap(({ packages }) => packages)
if (isCi && missing.length > 0) installPackages(missing, command => t.comment(command))

for (const { title, program, file, find, packages, env } of LANGUAGES) {
  const interpreter = find()
  const reason = `it is not installed: apt-get install ${packages.join(' ')}`
  // A machine for CI may be without packages, and what is skipped there counts as failed.
  if (interpreter === undefined && isCi) t.comment(`${title} was not tried: ${reason}`)
  else
    t.test(
      `${title} reaches the server under its real name`,
      { skip: interpreter === undefined && reason },
      async t => {
        t.match(await runStorefront(t, program, `${interpreter} ${file}`, env), LICENCE_URL)
      },
    )
}

function succeeds(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
