import { execFile } from 'node:child_process'
import { cpSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { startTestServer } from '../harness.js'

const run = promisify(execFile)

/** The fenced blocks of a page of the documentation. */
export function blocksOf(file: string): { language: string; code: string }[] {
  const blocks = readFileSync(file, 'utf8').matchAll(/^```(\w*)\n(.*?)^```/gms)
  return [...blocks].map(([, language = '', code = '']) => ({ language, code }))
}

/** Runs a command beside the files of docs/recipes, which ask a server with an ADMIN_TOKEN; what it prints. */
export async function runRecipes(t: Test, command: string, env: Record<string, string> = {}): Promise<string> {
  const folder = t.testdir({})
  cpSync('docs/recipes', folder, { recursive: true })
  const { url } = await startTestServer(t, { settings: { ADMIN_TOKEN } })
  const own = { PATH: process.env.PATH, HOME: process.env.HOME, EMULATOR_URL: url, ADMIN_TOKEN, ...env }
  const { stdout, stderr } = await run('sh', ['-c', command], { cwd: folder, env: own })
  return stdout + stderr
}

const ADMIN_TOKEN = '0123456789abcdef0123456789abcdef'
