import { pino } from 'pino'
import t from 'tap'
import { ContentsResealing } from '../../src/entitlement/catalogue/contents-resealing.js'
import { placeOf } from '../../src/entitlement/catalogue/stored-contents.js'
import { machineClock } from '../../src/ground/clock.js'
import { pooledRandomness } from '../../src/ground/randomness.js'
import { openStore } from '../../src/store/store.js'
import { TokenVault } from '../../src/tokens/vault.js'

const random = pooledRandomness()
const [former, present, unknown] = ['f', 'e', 'd'].map(digit => Buffer.from(digit.repeat(64), 'hex')) as [
  Buffer,
  Buffer,
  Buffer, // as many as there are digits
]

t.test('however many there are, all are sealed with the first key, and those of no known key are left', async t => {
  const { contents: repository, close } = await openStore('memory:')
  t.teardown(close)
  const idOf = (index: number) => `3f2504e0-4f89-11d3-9a0c-${String(index).padStart(12, '0')}`
  const put = async (index: number, key: Buffer) => {
    const sealed = new TokenVault([key], random).texts.seal(placeOf(idOf(index)), `content ${index}`)
    await repository.put({ content_id: idOf(index), sealed, updated_at: index })
    return sealed
  }
  for (let index = 0; index < 1200; index += 1) await put(index, former)
  const sealedNow = await put(1200, present)
  const sealedByOthers = await put(1201, unknown)

  const lines: string[] = []
  const logger = pino({}, { write: line => void lines.push(line) })
  const { texts: seal } = new TokenVault([present, former], random)
  await new ContentsResealing({ repository, seal, clock: machineClock(), logger }).start()
  t.match(
    lines.map(line => JSON.parse(line)),
    [{ contents: 1200 }],
  )

  const { texts: onlyPresent } = new TokenVault([present], random)
  for (let index = 0; index < 1200; index += 1) {
    const row = await repository.find(idOf(index))
    if (onlyPresent.open(placeOf(idOf(index)), row?.sealed ?? '') !== `content ${index}` || row?.updated_at !== index)
      t.fail(`content ${index} is not what it was`)
  }
  t.equal((await repository.find(idOf(1200)))?.sealed, sealedNow)
  t.equal((await repository.find(idOf(1201)))?.sealed, sealedByOthers)
})
