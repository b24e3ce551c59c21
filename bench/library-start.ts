import { pathToFileURL } from 'node:url'
import { builtFile } from '../src/ground/own-package.js'
import { median } from './median.js'
import type { LibraryStart } from './start.js'

/** What a user's test process waits for. */
const begin = performance.now()
// The types are those of the source.
const { startServer } = (await import(pathToFileURL(builtFile('index.js')).href)) as typeof import('../src/index.js')
const first = await startServer()
const result = { first: performance.now() - begin, later: [] as number[] }
for (let start = 0; start < 5; start += 1) {
  const begin = performance.now()
  const server = await startServer()
  result.later.push(performance.now() - begin)
  await server.close()
}
await first.close()
process.send?.({ first: result.first, later: median(result.later) } satisfies LibraryStart)
process.disconnect?.()
