import { appendFileSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { machineClock } from '../src/ground/clock.js'
import { watchFiles } from '../src/ground/watched-files.js'

t.test('a file that is being written is told of when it is written', async t => {
  const { path, told, until } = watching(t)
  const wholeSize = 200
  const writing = setInterval(() => appendFileSync(path, 'x'), 1)
  t.teardown(() => clearInterval(writing))
  await until(() => statSync(path).size >= wholeSize)
  t.same(told, [], 'many looks later')
  clearInterval(writing)
  await until(() => told.length > 0)
  t.same(told, [statSync(path).size])
})

t.test('what replaces a file is told of: other bytes, another file, a link elsewhere', async t => {
  const { path, told, until } = watching(t)
  const { atime, mtime } = statSync(path)
  const changes = [
    // As long and as old as before.
    () => {
      writeFileSync(`${path}.2`, 'new')
      utimesSync(`${path}.2`, atime, mtime)
      renameSync(`${path}.2`, path)
    },
    () => {
      writeFileSync(`${path}.3`, 'other')
      symlinkSync(`${path}.3`, `${path}.link`)
      renameSync(`${path}.link`, path)
    },
    () => writeFileSync(`${path}.3`, 'another'),
  ]
  for (const [index, change] of changes.entries()) {
    change()
    await until(() => told.length > index)
  }
  t.equal(told.length, changes.length)
})

t.test('a change between this call and the first look is one', async t => {
  const { path, told, until } = watching(t)
  appendFileSync(path, 'more')
  await until(() => told.length > 0)
  t.same(told, [7])
})

t.test('what is of no use yet is tried again, also after a failure', async t => {
  const answers = ['again', new Error('unforeseen'), 'again', 'done'] as const
  const { path, told, until } = watching(t, call => {
    const answer = answers[call] ?? 'done'
    if (answer instanceof Error) throw answer
    return answer
  })
  writeFileSync(path, 'useless')
  await until(() => told.length === answers.length)
  rmSync(path)
  await until(() => told.length > answers.length)
  t.equal(told.at(-1), undefined, 'that it is gone is a change, too')
})

/** A file that is looked at all the time; its size at every call is in `told`. */
function watching(t: Test, answer: (call: number) => 'done' | 'again' = () => 'done') {
  const path = join(t.testdir({ file: 'old' }), 'file')
  const told: (number | undefined)[] = []
  const watched = watchFiles(
    [path],
    machineClock(),
    async () => {
      told.push(statSync(path, { throwIfNoEntry: false })?.size)
      return answer(told.length - 1)
    },
    10,
  )
  t.teardown(() => watched.close())
  const until = async (isTrue: () => boolean) => {
    while (!isTrue()) await new Promise(resolve => setTimeout(resolve, 1))
  }
  return { path, told, until }
}
