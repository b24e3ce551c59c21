import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { startTestServer } from './harness.js'
import { runCommand } from './process.js'

const run = promisify(execFile)

/** "Point your existing code at it". */
export const page = readFileSync('docs/existing-code.md', 'utf8')

/** Its programs, by their file names: with the real names and https in them, and nothing of ours. */
export const sources: Readonly<Record<string, string>> = Object.fromEntries(
  [...page.matchAll(/^```\w+\n((?:\/\/|#|<\?php \/\/) ([\w.-]+)\n.*?)^```/gms)].map(([, text = '', name = '']) => [
    name,
    text,
  ]),
)

/** What each of them prints. */
export const LICENCE_URL = /^https:\/\/wv\.test\.expressplay\.com\/hms\/wv\/rights\/\?ExpressPlayToken=[\w-]+\s*$/

/** Runs a command beside the programs, with a server's proxy and the variables that lead this kind of program to it; what it prints. */
export async function runStorefront(t: Test, program: string, command: string, env: Record<string, string> = {}) {
  // A folder whose name every level has to quote.
  const folder = join(t.testdir(sources), "it's here")
  mkdirSync(folder)
  const { url, proxyUrl = '' } = await startTestServer(t, { proxy: true })
  const settings = { DATA_DIR: folder, PROXY_PORT: new URL(proxyUrl).port }
  const printed = await runCommand(t, ['env', '--url', url, '--for', program], settings)
  t.match(printed, { code: 0, stderr: '' })
  const own = { PATH: process.env.PATH, HOME: process.env.HOME, ...env }
  const { stdout } = await run('sh', ['-c', `${printed.stdout}\n${command}`], { cwd: t.testdirName, env: own })
  return stdout
}

export function withoutJava(): string | false {
  return spawnSync('javac', ['-version']).error === undefined ? false : 'there is no JDK'
}
