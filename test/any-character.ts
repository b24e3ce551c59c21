import fc from 'fast-check'

const SURROGATES = { from: 0xd800, to: 0xdfff }
const COUNT = SURROGATES.to - SURROGATES.from + 1

/** Any character of Unicode: what `unit: 'binary'` stands for, without its table of a million characters. */
export const anyCharacter = fc.integer({ min: 0, max: 0x10ffff - COUNT }).map(
  index => String.fromCodePoint(index < SURROGATES.from ? index : index + COUNT),
  character => {
    if (typeof character !== 'string' || [...character].length !== 1) throw new Error('not one character')
    const point = character.codePointAt(0) ?? 0
    if (point >= SURROGATES.from && point <= SURROGATES.to) throw new Error('half a character')
    return point < SURROGATES.from ? point : point - COUNT
  },
)
