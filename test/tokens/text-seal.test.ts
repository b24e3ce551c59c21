import t from 'tap'
import { TOKEN_STYLES } from '../../src/ground/account-choices.js'
import { pooledRandomness } from '../../src/ground/randomness.js'
import { TokenVault } from '../../src/tokens/vault.js'

const random = pooledRandomness()
const [old, current, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2), Buffer.alloc(32, 3)]

t.test('a sealed text opens at its place, with every key that the vault has, and nowhere else', async t => {
  const vault = new TokenVault([old], random)
  const sealed = vault.texts.seal('place 1', 'tö\ud83d\ude00')
  t.equal(vault.texts.open('place 1', sealed), 'tö\ud83d\ude00')
  t.equal(new TokenVault([current, old], random).texts.open('place 1', sealed), 'tö\ud83d\ude00', 'keys may rotate')
  t.not(vault.texts.seal('place 1', 'tö\ud83d\ude00'), sealed)
  t.equal(vault.texts.open('place 1', vault.texts.seal('place 1', '')), '')

  t.equal(vault.texts.open('place 2', sealed), undefined)
  t.equal(new TokenVault([current, other], random).texts.open('place 1', sealed), undefined)
  t.equal(vault.open(sealed), undefined, 'it is no token')
  for (const style of TOKEN_STYLES) {
    const { token } = vault.seal({ customerId: 5, style, version: 8 }, Buffer.from('content'))
    t.equal(vault.texts.open('', token), undefined, 'nor is a token a text')
  }
  const bytes = Buffer.from(sealed, 'base64url')
  for (const index of bytes.keys()) {
    const changed = Buffer.from(bytes)
    changed.writeUInt8(changed.readUInt8(index) ^ 1, index)
    t.equal(vault.texts.open('place 1', changed.toString('base64url')), undefined)
  }
  for (const length of [0, 1, 26, 42, bytes.length - 1])
    t.equal(vault.texts.open('place 1', bytes.subarray(0, length).toString('base64url')), undefined)
})
