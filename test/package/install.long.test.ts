import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

/** The oldest Node that is supported and the lines after it, each with an npm that it came with; the last npm warns of more. */
const releases = [
  { node: '20.19.0', npm: '10.8.2' },
  { node: '22', npm: '10.9.4' },
  { node: '24', npm: '11.19.1' },
]

const run = promisify(execFile)

t.setTimeout(15 * 60_000) // it fetches Node and every dependency where npm's cache does not have them

t.test('the packed package installs in an empty project without a warning', async t => {
  const folder = t.testdir()
  const { stdout } = await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder])
  const tarball = join(folder, stdout.trim())

  for (const { node, npm } of releases)
    await t.test(`Node ${node} with npm ${npm}`, async t => {
      const project = t.testdir({ 'package.json': '{"private":true,"type":"module"}' })
      writeFileSync(join(project, 'start.js'), START)
      const install = `npm install --engine-strict --prefer-offline --no-audit --no-fund '${tarball}' && node start.js`
      const options = { cwd: project, env: withoutNpmsOwn(process.env) }
      const said = await run('npx', ['--yes', '-p', `node@${node}`, '-p', `npm@${npm}`, '-c', install], options)
      t.match(said.stdout, `started on v${node}`)
      t.strictSame(warnings(said.stdout + said.stderr), [])
    })
})

const START = `
import { startServer } from 'expressplay-token-backend'
const server = await startServer()
await fetch(server.url + '/readyz')
await server.close()
console.log('started on', process.version)
`

/** Without what an npm that runs these tests says about itself: another version warns of settings that it does not know. */
function withoutNpmsOwn(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('npm_')))
}

/** All but those about the settings of this machine's npm. */
function warnings(output: string): string[] {
  return output.split('\n').filter(line => /\bwarn(ing)?\b/i.test(line) && !/Unknown \w+ config/.test(line))
}
