import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** This package's folder, wherever the compiled code lies in it. */
const packageFile = createRequire(import.meta.url).resolve('expressplay-token-backend/package.json')

/** What the build has made of other things than TypeScript. */
export function builtFile(name: string): string {
  return join(dirname(packageFile), 'dist', name)
}

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string } // ours
  return version
}
