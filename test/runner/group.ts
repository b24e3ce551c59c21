import asyncHooks from 'node:async_hooks'
import { once } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/*
 * Runs the test files that the runner names, one after another, in this process. The application is loaded and warmed
 * up once for all of them, which takes as long as many a file's tests.
 */

/*
 * tap follows every promise, to find the test whose callback throws later: a tenth of all the time. Without, such an
 * error ends the process, and its file has failed with the stack.
 */
const { createHook } = asyncHooks
const idleHook = createHook({})
asyncHooks.createHook = () => idleHook
syncBuiltinESMExports()
const { default: t } = await import('tap')
asyncHooks.createHook = createHook
syncBuiltinESMExports()
const timeout = Number(process.env.TAP_TIMEOUT) * 1000

t.pipe(process.stdout) // now, since it is then that tap lets the process end before the runner's next word

let isBusy = false
// tap then ends what is left, and would be idle.
process.prependOnceListener('exit', () => {
  isBusy = true
})
// tap is idle when a file's tests are done; it would end by itself then, if no other file were awaited.
t.on('idle', runNext)
runNext()

function runNext(): void {
  if (isBusy || !process.connected) return
  isBusy = true
  void t.waitOn(loadNext())
}

async function loadNext(): Promise<void> {
  process.channel?.ref() // not while tests run: tap sees one that hangs by the process ending
  process.send?.('next')
  const [file] = (await once(process, 'message')) as [string] // what test-process.ts sends
  process.channel?.unref()
  if (file === '') return process.disconnect()
  t.comment(`file ${file}`)
  t.pragma({ strict: false }) // which is the default: a parser of TAP holds a comment back until another kind of line comes
  t.setTimeout(timeout) // of each file, which may change it
  const built = resolve('dist', file.replace(/\.ts$/, '.js'))
  await import(pathToFileURL(built).href).catch(error => t.fail(String(error), { stack: error.stack }))
  isBusy = false
}
