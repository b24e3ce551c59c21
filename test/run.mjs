// Runs the suite and ends with one plain line of counts, from the runner's own total. Arguments go to tap.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'

const report = '.tap/report.tap'
mkdirSync('.tap', { recursive: true })
rmSync(report, { force: true })
const args = ['--reporter=terse', `--output-file=${report}`, ...process.argv.slice(2)]
const { status } = spawnSync('tap', args, { stdio: 'inherit', shell: process.platform === 'win32' })

const totals = /^# \{ total: \d+(?:, pass: (\d+))?(?:, fail: (\d+))?/m.exec(readFileSync(report, 'utf8'))
const [, passed = '0', failed = '0'] = totals ?? []
const isGreen = status === 0 && totals !== null && failed === '0' && passed !== '0'
// On a line of its own, whatever the reporter left open.
process.stdout.write(`\n${passed} passed, ${isGreen || failed !== '0' ? failed : '1'} failed\n`)
process.exitCode = isGreen ? 0 : 1
