import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

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

export function withoutJava(): string | false {
  return spawnSync('javac', ['-version']).error === undefined ? false : 'there is no JDK'
}
