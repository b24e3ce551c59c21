import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { builtFile } from '../../src/ground/own-package.js'

const baseline = { node: 20, loadGenerator: 'wrk', start: 2, memory: 1.5, mainThread: 1.6 }

t.test('figures at most 15 % worse than the baseline pass', async t => {
  const { code, stdout } = await check(t, { ...baseline, start: 2.28, memory: 1.72, mainThread: 0.9 })
  t.match(stdout, /^ok +processor time from the start .*: 2\.28 of bare Fastify's, baseline 2\.00 \(\+14 %\)$/m)
  t.match(stdout, /^ok +main thread's time .*\(-44 %\)$/m)
  t.equal(code, 0)
})

for (const [name, worse, line] of [
  ['start', 2.4, /^WORSENED processor time from the start .*: 2\.40 of bare Fastify's, baseline 2\.00 \(\+20 %\)$/m],
  ['memory', 1.8, /^WORSENED resident memory .*: 1\.80 of bare Fastify's, baseline 1\.50 \(\+20 %\)$/m],
  ['mainThread', 1.92, /^WORSENED main thread's time .*: 1\.92 of bare Fastify's, baseline 1\.60 \(\+20 %\)$/m],
] as const)
  t.test(`a worsened ${name} fails, with by how much and how to renew the baseline`, async t => {
    const { code, stdout } = await check(t, { ...baseline, [name]: worse })
    t.match(stdout, line)
    t.equal(stdout.match(/^ok/gm)?.length, 2, 'the others have not worsened')
    t.match(stdout, 'npm run bench:check -- --write')
    t.equal(code, 1)
  })

t.test('a figure that is missing fails', async t => {
  const { start, ...others } = baseline
  t.equal((await check(t, others)).code, 1)
})

t.test('figures of a Node or load generator without a baseline are not compared', async t => {
  const node = await check(t, { ...baseline, node: 24 })
  t.match(node.stdout, 'no baseline for Node 24 with wrk')
  const generator = await check(t, { ...baseline, loadGenerator: 'autocannon' })
  t.match(generator.stdout, 'no baseline for Node 20 with autocannon')
  t.strictSame([node.code, generator.code], [2, 2])
})

t.test('every committed baseline is complete', async t => {
  for (const figures of JSON.parse(readFileSync('bench/baseline.json', 'utf8')))
    t.equal((await check(t, figures, 'bench/baseline.json')).code, 0)
})

/** The script, with these figures instead of measured ones. */
function check(t: Test, figures: object, given?: string): Promise<{ code: number; stdout: string }> {
  const folder = t.testdir({ 'baseline.json': JSON.stringify([baseline]) })
  writeFileSync(join(folder, 'figures.json'), JSON.stringify(figures))
  const files = ['--figures', join(folder, 'figures.json'), '--baseline', given ?? join(folder, 'baseline.json')]
  const env = { PATH: process.env.PATH }
  return new Promise(resolve => {
    execFile(process.execPath, [builtFile('bench/check.js'), ...files], { env }, (error, stdout) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout }),
    )
  })
}
