import { randomFillSync } from 'node:crypto'

/** Draws random bytes. Injected, so that a test can know them. */
export type Randomness = (bytes: number) => Buffer

const POOL_BYTES = 8192

/** Bytes from a pool: one call to the system's generator serves hundreds of tokens. */
export function pooledRandomness(): Randomness {
  let pool = Buffer.alloc(0)
  let used = 0
  return bytes => {
    if (used + bytes > pool.length) {
      // A new pool, never a refill: slices of the old one may still be in use.
      pool = randomFillSync(Buffer.allocUnsafeSlow(Math.max(POOL_BYTES, bytes)))
      used = 0
    }
    used += bytes
    return pool.subarray(used - bytes, used)
  }
}
