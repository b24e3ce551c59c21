import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import t, { type Test } from 'tap'
import { installPackages } from './debian-packages.js'
import { runRecipes } from './docs/recipes.js'
import { LICENCE_URL, runStorefront } from './storefronts.js'

/** A program of the documentation in a language that a machine may not have. */
interface Program {
  readonly title: string
  /** What runs it here, if there is something. */
  readonly find: () => string | undefined
  readonly packages: readonly string[]
  /** What it prints. */
  readonly run: (t: Test, interpreter: string) => Promise<string>
  readonly prints: RegExp
}

// A Python of the user's own does not see Debian's packages.
const pythonWith = (module: string) => () =>
  ['python3', '/usr/bin/python3'].find(python => succeeds(python, '-c', `import ${module}`))
const findGo = () => (succeeds('go', 'version') ? 'go' : undefined)
/** It needs no C compiler then. */
const PURE_GO = { CGO_ENABLED: '0' }
const JARS = '/usr/share/java'

const PROGRAMS: readonly Program[] = [
  {
    title: 'Python (requests) reaches the server under its real name',
    find: pythonWith('requests'),
    packages: ['python3-requests'],
    run: (t, python) => runStorefront(t, 'python', `${python} storefront_requests.py`),
    prints: LICENCE_URL,
  },
  {
    title: 'PHP (curl) reaches the server under its real name',
    find: () => (succeeds('php', '-r', 'exit((int) !function_exists("curl_init"));') ? 'php' : undefined),
    packages: ['php-cli', 'php-curl'],
    run: (t, php) => runStorefront(t, 'php', `${php} storefront.php`),
    prints: LICENCE_URL,
  },
  {
    title: 'Go (net/http) reaches the server under its real name',
    find: findGo,
    packages: ['golang-go'],
    run: (t, go) => runStorefront(t, 'go', `${go} run storefront.go`, PURE_GO),
    prints: LICENCE_URL,
  },
  {
    title: 'the recipes for Go pass',
    find: findGo,
    packages: ['golang-go'],
    run: (t, go) => runRecipes(t, `${go} test -v storefront_test.go`, PURE_GO),
    prints: /(?:^--- PASS: .*\n(?:=== .*\n)?){4}PASS$/m,
  },
  {
    title: 'the recipes for pytest pass',
    find: pythonWith('pytest'),
    packages: ['python3-pytest'],
    run: (t, python) => runRecipes(t, `${python} -m pytest test_storefront.py`),
    prints: /\b4 passed\b/,
  },
  {
    title: 'the recipes for JUnit pass',
    find: () =>
      succeeds('javac', '-version') && existsSync(`${JARS}/junit-platform-console.jar`) ? 'java' : undefined,
    packages: ['default-jdk-headless', 'junit5'],
    run: (t, java) =>
      runRecipes(
        t,
        `javac -cp '${JARS}/*' -d classes StorefrontTest.java &&
        ${java} -cp 'classes:${JARS}/*' org.junit.platform.console.ConsoleLauncher --scan-classpath classes`,
      ),
    prints: /\b4 tests successful\b/,
  },
]

const isCi = process.env.CI === 'true'
const missing = PROGRAMS.filter(({ find }) => find() === undefined).flatMap(({ packages }) => packages)
if (isCi && missing.length > 0) installPackages([...new Set(missing)], command => t.comment(command))

for (const { title, find, packages, run, prints } of PROGRAMS) {
  const interpreter = find()
  const reason = `it is not installed: apt-get install ${packages.join(' ')}`
  // A machine for CI may be without packages, and what is skipped there counts as failed.
  if (interpreter === undefined && isCi) t.comment(`not tried: ${title}: ${reason}`)
  else
    t.test(title, { skip: interpreter === undefined && reason }, async t => {
      t.match(await run(t, interpreter ?? ''), prints)
    })
}

function succeeds(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
