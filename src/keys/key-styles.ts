import { createHash } from 'node:crypto'
import type { Config } from '../config/config.js'

/** How stored keys are answered (spec: keystore.md, two styles). The database has them in lower case in both. */
export interface KeyStyle {
  hex(digits: string): string
  /** The name of a KEK that was given none. */
  kekId(kek: Buffer): string
  /** Whether an opened key comes with its wrapped form and the name of its KEK. */
  readonly isWhole: boolean
}

export const KEY_STYLES: Readonly<Record<Config['KEYSTORE_STYLE'], KeyStyle>> = {
  skm: {
    hex: digits => digits,
    kekId: kek => `#1.${digestOf(kek).slice(0, 32)}`,
    isWhole: false,
  },
  expressplay: {
    hex: digits => digits.toUpperCase(),
    kekId: kek => `#1.${digestOf(kek).toUpperCase()}`,
    isWhole: true,
  },
}

function digestOf(kek: Buffer): string {
  return createHash('sha1')
    .update(`KEKID_1${kek.toString('hex')}`)
    .digest('hex')
}
