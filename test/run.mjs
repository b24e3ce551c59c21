// Runs the built suite, or the test files and folders that are named, and ends with one plain line of counts, from the
// runner's own total. Further arguments go to tap.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'

const report = '.tap/report.tap'
mkdirSync('.tap', { recursive: true })
rmSync(report, { force: true })
const built = process.argv.slice(2).map(argument => argument.replace(/^test\//, 'dist/test/').replace(/\.ts$/, '.js'))
const args = ['--reporter=terse', `--output-file=${report}`, ...built]
// Each file is a process that loads the whole application; Node 20 does not know the variable.
const env = { NODE_COMPILE_CACHE: resolve('.tap/compile-cache'), ...process.env }
const { status } = spawnSync('tap', args, { stdio: 'inherit', env, shell: process.platform === 'win32' })

const totals = /^# \{ total: \d+(?:, pass: (\d+))?(?:, fail: (\d+))?/m.exec(
  existsSync(report) ? readFileSync(report, 'utf8') : '',
)
const [, passed = '0', failed = '0'] = totals ?? []
const isGreen = status === 0 && totals !== null && failed === '0' && passed !== '0'
// On a line of its own, whatever the reporter left open.
process.stdout.write(`\n${passed} passed, ${isGreen || failed !== '0' ? failed : '1'} failed\n`)
process.exitCode = isGreen ? 0 : 1
