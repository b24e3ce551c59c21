import { pathToFileURL } from 'node:url'

/*
 * Runs the test files that are its arguments one after another in this process. The application is loaded and warmed
 * up once for all of them, which takes as long as many a file's tests.
 */

const files = process.argv.splice(2)
// tap names the folders of `t.testdir` after the program: they must not be those of another process.
process.argv[1] = files[0] ?? ''
const { default: t } = await import('tap')
const timeout = Number(process.env.TAP_TIMEOUT) * 1000

let next = 0
let isLoading = false
// tap is idle when a file's tests are done; it would end by itself then, if no other file were awaited.
t.on('idle', loadNext)
loadNext()

function loadNext(): void {
  const file = files[next]
  if (file === undefined || isLoading) return
  isLoading = true
  t.comment(`file ${next}`)
  t.pragma({ strict: false }) // which is the default: a parser of TAP holds a comment back until another kind of line comes
  t.setTimeout(timeout) // of each file, which may change it
  next += 1
  void t.waitOn(load(file))
}

async function load(file: string): Promise<void> {
  await import(pathToFileURL(file).href).catch(error => t.fail(error))
  isLoading = false
}
