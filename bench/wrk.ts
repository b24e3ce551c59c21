import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { LoadSize, Measured, Target } from './load.js'

const run = promisify(execFile)

/** Costs a tenth of what a load generator in JavaScript costs, so it takes less from the servers that are measured. */
export const usesWrk =
  process.env.LOAD_GENERATOR !== 'autocannon' && spawnSync('wrk', ['--version']).error === undefined

/** It can't use client certificates, and it can't stop after a number of requests. */
export async function loadByWrk({ url, body }: Target, { connections, seconds, core }: LoadSize): Promise<Measured> {
  const pinned = core === undefined ? [] : ['taskset', '-c', String(core)]
  const folder = body === undefined ? undefined : mkdtempSync(join(tmpdir(), 'wrk-'))
  const script = folder === undefined ? [] : ['-s', writePost(folder, body ?? '')]
  const [command = '', ...args] = [
    ...pinned,
    'wrk',
    '--latency',
    '--timeout',
    '20s',
    `-c${connections}`,
    '-t1',
    `-d${seconds}`,
  ]
  const { stdout } = await run(command, [...args, ...script, url])
  if (folder !== undefined) rmSync(folder, { recursive: true })
  return figuresIn(stdout)
}

function writePost(folder: string, body: string): string {
  const path = join(folder, 'post.lua')
  const lines = [
    'wrk.method = "POST"',
    `wrk.body = [==[${body}]==]`,
    'wrk.headers["Content-Type"] = "application/json"',
  ]
  writeFileSync(path, lines.join('\n'))
  return path
}

function figuresIn(output: string): Measured {
  const figure = (pattern: RegExp) => pattern.exec(output)?.[1] ?? ''
  const faults = figure(/^ *(Non-2xx.*|Socket errors: (?!connect 0, read 0, write 0, timeout 0).*)$/m)
  if (faults !== '') throw new Error(`wrk says: ${faults}`)
  return {
    requests: Number(figure(/(\d+) requests in/)),
    perSecond: Number(figure(/^Requests\/sec: +([\d.]+)$/m)),
    p50: milliseconds(figure(/^ +50% +(\S+)$/m)),
    p99: milliseconds(figure(/^ +99% +(\S+)$/m)),
  }
}

function milliseconds(text: string): number {
  const [, number = '', unit = ''] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? []
  return Number(number) * ({ us: 0.001, ms: 1, s: 1000 }[unit] ?? Number.NaN)
}
