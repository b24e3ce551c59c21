import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { repetitions } from '../counts.js'
import { program } from '../process.js'
import { checkBook } from './book.js'
import { checkRefusals, Load, MOST_REFUSALS_OF_EACH, STOREFRONTS } from './load.js'
import { demoCustomer as customer } from './service.js'
import { mountSmallDisk, type SmallDisk, whyNoSmallDisk } from './small-disk.js'

const DISK_MEBIBYTES = 32
const skip = await whyNoSmallDisk()

t.test('the disk under SQLite is full for a while', { skip }, async t => {
  const disk = await mountSmallDisk(t, t.testdir(), DISK_MEBIBYTES)
  const { child, url } = await startServiceOn(t, disk)
  const load = new Load(url, customer)
  const health = new HealthCheck(url)
  for (let time = 1; time <= repetitions({ usual: 1, long: 3 }); time += 1) {
    await load.moreTokens(200)
    disk.fill()
    await load.nothingButRefusals(200)
    t.equal((await fetch(`${url}/readyz`)).status, 503)
    disk.empty()
    const before = load.refusals.length
    await load.moreTokens(1)
    const refused = load.refusals.length - before
    t.ok(refused < STOREFRONTS * MOST_REFUSALS_OF_EACH, `it goes on after ${refused} refusals`)
  }
  await load.moreTokens(200)
  await load.end()
  checkRefusals(t, load)
  const { ups, downs } = await health.end()
  t.ok(ups > 0 && downs === 0, `up all the time, asked ${ups} times`)

  child.kill('SIGTERM')
  t.same(await once(child, 'exit'), [0, null], 'the same process to the end')
  await checkBook(t, databaseOn(disk), customer, load.tokens)
})

t.test('the process is killed while the disk is full', { skip }, async t => {
  const disk = await mountSmallDisk(t, t.testdir(), DISK_MEBIBYTES)
  const answered: string[] = []
  const kills = Array.from({ length: repetitions({ usual: 1, long: 2 }) }, () => 'SIGKILL' as const)
  for (const signal of [...kills, 'SIGTERM'] as const) {
    const { child, url } = await startServiceOn(t, disk)
    const load = new Load(url, customer)
    await load.moreTokens(200)
    disk.fill()
    await load.nothingButRefusals(100)
    child.kill(signal)
    await Promise.all([once(child, 'exit'), load.end()])
    answered.push(...load.tokens)
    await checkBook(t, databaseOn(disk), customer, answered)
    disk.empty()
  }
})

t.test('a first start on a full disk leaves no draft of its keys', async t => {
  const disk = await mountSmallDisk(t, t.testdir(), 1)
  disk.fill()
  const [command, ...args] = disk.within
  const env = { PATH: process.env.PATH ?? '', PORT: '0', DATA_DIR: t.testdirName }
  const child = spawn(command, [...args, ...program, 'serve'], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const [said] = await Promise.all([text(child.stderr), once(child, 'exit')])
  t.match(said, /DATA_DIR cannot be used: ENOSPC/)
  t.same(readdirSync(disk.folder), ['ballast'])
})

/** As `startService`, where the disk is to be seen. */
async function startServiceOn(t: Test, { within: [command, ...args] }: SmallDisk) {
  const child = spawn(command, [...args, ...program, 'serve'], {
    env: { PATH: process.env.PATH ?? '', PORT: '0', LOG_LEVEL: 'fatal', DATA_DIR: t.testdirName },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  for await (const line of createInterface(child.stdout)) {
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? []
    if (url !== undefined) return { child, url }
  }
  throw new Error('the service did not start')
}

function databaseOn({ folder }: SmallDisk): string {
  return `sqlite:${join(folder, 'expressplay.db')}`
}

/** Asks /healthz over and over. */
class HealthCheck {
  #ups = 0
  #downs = 0
  #isOver = false
  readonly #asking: Promise<void>

  constructor(url: string) {
    this.#asking = this.#ask(`${url}/healthz`)
  }

  async end(): Promise<{ ups: number; downs: number }> {
    this.#isOver = true
    await this.#asking
    return { ups: this.#ups, downs: this.#downs }
  }

  async #ask(url: string): Promise<void> {
    while (!this.#isOver) {
      const isUp = await fetch(url).then(
        async answer => (await answer.text()) !== '' && answer.ok,
        () => false,
      )
      if (isUp) this.#ups += 1
      else this.#downs += 1
      await pause(20)
    }
  }
}
