import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const packageFile = join(packageFolder(), 'package.json')

/** This package's folder, wherever the compiled code lies in it. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

/** What the build has made of other things than TypeScript. */
export function builtFile(name: string): string {
  return join(dirname(packageFile), 'dist', name)
}

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string } // ours
  return version
}
