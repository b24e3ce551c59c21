/** A text after some rounds of decoding, with the origin of each character. */
export interface Reading {
  /** In lower case, with spaces instead of pluses. */
  readonly text: string
  /** By character, its start in the original text; then the length of the original. */
  readonly places: Uint32Array
}

/** How many times a text may be escaped: in a query, in a form, in JSON, on a page. */
const MAX_LAYERS = 4

/**
 * The text itself, the text decoded once, decoded twice, and so on, with the escapes of URLs, forms, JSON and HTML. The
 * time is linear in the text for any input.
 */
export function readingsOf(original: string): Reading[] {
  const readings: Reading[] = [plain(original)]
  for (let last = readings[0]; last !== undefined && readings.length <= MAX_LAYERS; last = readings.at(-1)) {
    const next = decoded(last)
    if (next === undefined) break
    readings.push(next)
  }
  return readings
}

function plain(original: string): Reading {
  return { text: folded(original), places: Uint32Array.from({ length: original.length + 1 }, (_, place) => place) }
}

/** Each alternative has its own first character and a short length, so the search does not backtrack. */
const ESCAPE =
  /%(?:[0-7][0-9a-f]|[cd][0-9a-f]%[89ab][0-9a-f]|e[0-9a-f](?:%[89ab][0-9a-f]){2}|f[0-7](?:%[89ab][0-9a-f]){3})|\\(?:u[0-9a-f]{4}|x[0-9a-f]{2}|[\s\S])|&(?:#\d{1,7}|#x[0-9a-f]{1,6}|amp|lt|gt|quot|apos);/gi

/** `undefined` when there is nothing to decode. */
function decoded({ text, places }: Reading): Reading | undefined {
  if (!/[%\\&]/.test(text)) return undefined
  let read = ''
  const from: number[] = []
  const copy = (part: string, begin: number) => {
    for (let at = 0; at < part.length; at++) from.push(places[begin + at] ?? 0)
    read += part
  }
  let end = 0
  for (const { 0: spelled, index } of text.matchAll(ESCAPE)) {
    copy(text.slice(end, index), end)
    const meant = meaningOf(spelled)
    for (let unit = 0; unit < meant.length; unit++) from.push(places[index] ?? 0)
    read += meant
    end = index + spelled.length
  }
  copy(text.slice(end), end)
  if (read.length === text.length) return undefined
  from.push(places[text.length] ?? 0)
  return { text: folded(read), places: Uint32Array.from(from) }
}

const NAMED = new Map([
  ['&amp;', '&'],
  ['&lt;', '<'],
  ['&gt;', '>'],
  ['&quot;', '"'],
  ['&apos;', "'"],
])
const CONTROLS = new Map([
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

function meaningOf(spelled: string): string {
  switch (spelled[0]) {
    case '%':
      return fromUrl(spelled)
    case '\\':
      if (spelled.length > 2) return String.fromCharCode(Number.parseInt(spelled.slice(2), 16))
      return CONTROLS.get(spelled.slice(1)) ?? spelled.slice(1)
    default:
      return NAMED.get(spelled) ?? fromPage(spelled)
  }
}

function fromUrl(spelled: string): string {
  try {
    return decodeURIComponent(spelled)
  } catch {
    return spelled // no valid UTF-8
  }
}

function fromPage(spelled: string): string {
  const code = spelled[2] === 'x' ? Number.parseInt(spelled.slice(3), 16) : Number.parseInt(spelled.slice(2), 10)
  return code <= 0x10ffff ? String.fromCodePoint(code) : spelled
}

/** Drops the differences that do not matter for secrets. Letters whose lower case has another length stay unchanged. */
function folded(text: string): string {
  const spaced = text.replaceAll('+', ' ')
  const lowered = spaced.toLowerCase()
  if (lowered.length === spaced.length) return lowered
  return Array.from(spaced, one => (one.toLowerCase().length === one.length ? one.toLowerCase() : one)).join('')
}
