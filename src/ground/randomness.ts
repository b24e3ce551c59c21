import { randomFillSync } from 'node:crypto'

/** Fills bytes with random ones. Injected, so that a test can know them. */
export type Randomness = (target: Uint8Array) => void

const POOL_BYTES = 8192

/** Random bytes from a pool: one call to the system's generator serves hundreds of tokens. No byte is used twice. */
export function pooledRandomness(): Randomness {
  const pool = new Uint8Array(POOL_BYTES)
  let used = POOL_BYTES
  return target => {
    if (target.length > POOL_BYTES) {
      randomFillSync(target)
      return
    }
    if (used + target.length > POOL_BYTES) {
      randomFillSync(pool)
      used = 0
    }
    // A loop in the language: for a few bytes cheaper than a view and a native copy.
    for (let index = 0; index < target.length; index += 1) {
      target[index] = pool[used] ?? 0
      pool[used] = 0
      used += 1
    }
  }
}

export function randomBytes(random: Randomness, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  random(bytes)
  return bytes
}

/** From 0 to 1, without 1. */
export function randomFraction(random: Randomness): number {
  return randomBytes(random, 4).readUInt32LE() / 2 ** 32
}
