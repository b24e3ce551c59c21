import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** The version of this package, from its own package.json wherever the compiled code lies. */
export function packageVersion(): string {
  const path = createRequire(import.meta.url).resolve('expressplay-token-backend/package.json')
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string } // npm requires it
  return version
}
