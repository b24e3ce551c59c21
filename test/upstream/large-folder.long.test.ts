import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { form, NOON, startTestServer, tokenOf } from '../harness.js'

const LARGE = 130_000
const SMALL = LARGE / 10
const MINUTE = 60_000

t.setTimeout(10 * MINUTE)

t.test('a folder of any size is replayed, and reading it takes time in proportion to its size', async t => {
  const folder = t.testdir()
  const [small, large] = [SMALL, LARGE].map(size => written(join(folder, String(size)), size))
  const took = new Map<string, number>()
  for (const path of [small ?? '', large ?? '']) {
    const began = performance.now()
    const server = await startTestServer(t, {
      now: () => NOON + MINUTE,
      settings: { MODE: 'replay', RECORD_DIR: path },
    })
    took.set(path, performance.now() - began)
    const size = path === small ? SMALL : LARGE
    for (const index of [0, size / 2, size - 2])
      t.equal(await tokenOf(await server.post({ expirationTime: until(index, NOON + MINUTE) })), token(index))
    for (const index of [1, 3]) t.equal(await tokenOf(await server.post({ cookie: 'same' })), token(index))
    const unknown = await server.post({ cookie: 'nobody', prFlag: '1' })
    t.equal(unknown.status, 502, 'and what it does not have is said')
    await server.close()
  }
  const ratio = (took.get(large ?? '') ?? 0) / (took.get(small ?? '') ?? 1)
  t.ok(
    ratio < 40,
    `ten times as many files take ${ratio.toFixed(1)} times as long; with the square it would be 100 times`,
  )
})

/** Every second request is the same as before; the others differ in a moment alone. */
function written(folder: string, size: number): string {
  mkdirSync(folder)
  for (let index = 0; index < size; index += 1) {
    const time = NOON + index
    const change = index % 2 === 1 ? { cookie: 'same' } : { expirationTime: until(index, time) }
    writeFileSync(join(folder, `${index}.json`), recording(change, index, time))
  }
  return folder
}

/** Each longer after its request than the ones before, by more than what counts as the same. */
function until(index: number, time: number): string {
  return new Date(time + 60 * MINUTE + index * 6000).toISOString()
}

function recording(change: Record<string, string>, index: number, time: number): string {
  const { customerAuthenticator, contentKey, ...parameters } = Object.fromEntries(form(change))
  const licenseAcquisitionUrl = 'https://pr.test.expressplay.com/playready/RightsManager.asmx'
  return JSON.stringify({
    format: 1,
    recordedAt: new Date(time).toISOString(),
    request: { environment: 'test', customerId: 777, parameters, secrets: ['contentKey'] },
    answer: { status: 200, json: { licenseAcquisitionUrl, token: token(index) } },
  })
}

function token(index: number): string {
  return `AQAAAAM7AAAA${String(index).padStart(159, '0')}`
}
