import t, { type Test } from 'tap'
import { playready } from '../../src/drm/playready-family.js'
import { sampleParameters } from '../../src/sample.js'
import { type ask, parametersOf } from '../../src/verify/send-case.js'
import { Verification } from '../../src/verify/verification.js'
import { authenticators, startTestServer } from '../harness.js'

/** An answer on its way to who asked. */
interface Answer {
  status: number
  type: string
  headers: Record<string, string>
  body: string
}

/** A service that does one thing otherwise than documented. */
interface Deviation {
  /** Makes of the request one that a true service answers as this one does. */
  readonly asks?: (parameters: URLSearchParams) => void
  readonly answers?: (answer: Answer, parameters: URLSearchParams) => void
  /** What of which case shows it. */
  readonly seen: readonly [title: string, what: string]
}

const ROWS: Readonly<Record<string, Deviation>> = {
  'names in any case': { asks: inTheirCase, seen: ['kid under a name in another case', 'outcome'] },
  'a content key in any case': { asks: inTheirCase, seen: ['content key under a name in another case', 'outcome'] },
  'the first of several cookies': { asks: p => onlyOne(p, 'cookie', 0), seen: ['cookie twice', 'outcome'] },
  'the last of several expirations': {
    asks: p => onlyOne(p, 'expirationTime', -1),
    seen: ['expiration twice', 'outcome'],
  },
  'the first of several kids': { asks: p => onlyOne(p, 'kid', 0), seen: ['kid twice', 'outcome'] },
  'the last rights type': { asks: p => onlyOne(p, 'rightsType', 0), seen: ['rights type twice', 'outcome'] },
  'one token for ever': {
    answers: onToken(content => {
      theToken ??= content.token
      content.token = theToken
    }),
    seen: ['the documented sample request', 'token'],
  },
  'licence URLs on any host': {
    answers: onUrl(url => url.replace(/\/\/[^/]+/, '//licences.example.com')),
    seen: ['^kid1', 'licenseAcquisitionUrl'],
  },
  'licence URLs with https always': {
    answers: onUrl(url => url.replace('http:', 'https:')),
    seen: ['a URL with http', 'licenseAcquisitionUrl'],
  },
  'licence URLs with http always': {
    answers: onUrl(url => url.replace('https:', 'http:')),
    seen: ['a URL with https', 'licenseAcquisitionUrl'],
  },
  'licence URLs with another path': {
    answers: onUrl(url => url.replace('/playready/', '/pr/')),
    seen: ['^kid1', 'licenseAcquisitionUrl'],
  },
  'licence URLs with a query': { answers: onUrl(url => `${url}?x`), seen: ['^kid1', 'licenseAcquisitionUrl'] },
  'a text behind the documented one': {
    answers: onError(error => {
      error.message += ' (see the manual)'
    }),
    seen: ['empty kid', 'text'],
  },
  'a text in other words': {
    answers: onError(error => {
      error.message = error.message.replace('Missing', 'No')
    }),
    seen: ['no kid', 'text'],
  },
  'a text without its details': {
    answers: onError(error => {
      error.message = error.message.replace(/:.*/s, ':')
    }),
    seen: ['wrong authenticator', 'text'],
  },
  'another code before the text': {
    answers: onError(error => {
      error.message = error.message.replace(/^\[-/, '[-1')
    }),
    seen: ['no kid', 'text'],
  },
  'no code before the text': {
    answers: onError(error => {
      error.message = error.message.replace(/^\[.*?\] /, '')
    }),
    seen: ['no kid', 'text'],
  },
  'codes as text': {
    answers: onError(error => {
      error.code = String(error.code)
    }),
    seen: ['no kid', 'code'],
  },
  'codes without their sign': {
    answers: onError(error => {
      error.code = -Number(error.code)
    }),
    seen: ['no kid', 'code'],
  },
  'one status for all refusals': { answers: onStatus(401, 400), seen: ['wrong authenticator', 'status'] },
  '422 in place of 400': { answers: onStatus(400, 422), seen: ['no kid', 'status'] },
  'refusals with status 200': { answers: onStatus(400, 200), seen: ['no kid', 'status'] },
  'tokens with status 201': { answers: onStatus(200, 201), seen: ['^kid1', 'status'] },
  'JSON where a page is due': {
    answers: answer => {
      if (answer.type.startsWith('text/html'))
        Object.assign(answer, { type: 'application/json', body: '{"code":-4018}' })
    },
    seen: ['no kid, as a page', 'content type'],
  },
  'a page without the text': {
    answers: answer => {
      if (answer.type.startsWith('text/html')) answer.body = answer.body.replace('Missing kid', 'Something is missing')
    },
    seen: ['no kid, as a page', 'text'],
  },
  'a page without the code': {
    answers: answer => {
      if (answer.type.startsWith('text/html')) answer.body = answer.body.replaceAll('-4018', '')
    },
    seen: ['no kid, as a page', 'code'],
  },
  'a page where JSON is due': {
    answers: onError(() => {}, 'text/html'),
    seen: ['no kid', 'content type'],
  },
  'errors as plain text': { answers: onError(() => {}, 'text/plain'), seen: ['no kid', 'content type'] },
  'a charset behind JSON': {
    answers: onError(() => {}, 'application/json; charset=utf-8'),
    seen: ['no kid', 'content type'],
  },
  'tokens as application/json': {
    answers: answer => {
      if (answer.status === 200) answer.type = 'application/json'
    },
    seen: ['^kid1', 'content type'],
  },
  'no request id': { answers: ({ headers }) => delete headers['x-request-id'], seen: ['no kid', 'x-request-id'] },
  'one request id for ever': {
    answers: answer => {
      const { 'x-request-id': id = '' } = answer.headers
      answer.headers['x-request-id'] = 'the-same'
      answer.body = answer.body.replace(id, 'the-same')
    },
    seen: ['no kid', 'x-request-id'],
  },
  'a request id of its own in the body': {
    answers: onError(error => {
      error.requestId = 'another'
    }),
    seen: ['no kid', 'requestId'],
  },
  'answers that may be cached': {
    answers: ({ headers }) => delete headers['cache-control'],
    seen: ['^kid1', 'cache-control'],
  },
  'ignored parameters that nobody hears of': {
    answers: ({ headers }) => delete headers['x-ignored-parameters'],
    seen: ["two keys, as HbbTV's reference tooling sends them", 'x-ignored-parameters'],
  },
  'unknown parameters refused': {
    asks: p => {
      if (p.has('prFlag')) p.set('rightsType', 'unknown')
    },
    seen: ["two keys, as HbbTV's reference tooling sends them", 'outcome'],
  },
  'another parameter named': {
    answers: onError(error => {
      if (error.parameter !== undefined) error.parameter = 'kid'
    }),
    seen: ['no analogVideoOPL', 'parameter'],
  },
  'times in the past accepted': {
    asks: p => /^20/.test(p.get('expirationTime') ?? '') && p.delete('expirationTime'),
    seen: ['expiration in the past', 'outcome'],
  },
  'any time ahead accepted': {
    asks: p => p.get('expirationTime') === '+2592001' && p.delete('expirationTime'),
    seen: ['expiration a second over 30 days ahead', 'outcome'],
  },
  'seconds from now not understood': {
    asks: p => p.get('expirationTime')?.startsWith('+') && p.set('expirationTime', 'x'),
    seen: ['a rental with times from now, in capitals', 'outcome'],
  },
  'hexadecimal digits in lower case alone': {
    asks: p => /[A-F]/.test(p.get('contentKey') ?? '') && p.set('contentKey', 'g'.repeat(32)),
    seen: ['a rental with times from now, in capitals', 'outcome'],
  },
  'no rule for ^': { asks: p => p.get('kid') === '^kid1' && p.set('kid', 'kid1'), seen: ['^kid1', 'outcome'] },
  'any length after ^': {
    asks: p => p.get('kid')?.startsWith('^') && p.set('kid', '^kid1'),
    seen: ['65 characters after the ^', 'outcome'],
  },
  'wrapped keys not checked': {
    asks: p => p.has('ek') && p.get('kek')?.startsWith('ff') && p.set('kek', '000102030405060708090a0b0c0d0e0f'),
    seen: ['kek that does not unwrap ek', 'outcome'],
  },
  'kek beside contentKey': {
    asks: p => p.has('contentKey') && p.delete('kek'),
    seen: ['both kek and contentKey', 'outcome'],
  },
  'spaces cut off': {
    asks: p => p.has('kid') && p.set('kid', p.get('kid')?.trim() ?? ''),
    seen: ['kid behind a space', 'outcome'],
  },
  'error formats in any case': {
    asks: p => p.get('errorFormat') === 'JSON' && p.set('errorFormat', 'json'),
    seen: ['error format in another case', 'outcome'],
  },
  'the error format read last': {
    asks: p => p.get('errorFormat') === 'xml' && !p.has('customerAuthenticator') && p.set('errorFormat', 'json'),
    seen: ['unknown error format and no authenticator', 'code'],
  },
  'the policy checked before the keys': {
    asks: p => !p.has('rightsType') && p.set('kid', sampleParameters.kid),
    seen: ['kid of 31 digits and no rights type', 'code'],
  },
  'the cookie checked before the address': {
    asks: p => (p.get('cookie')?.length ?? 0) > 32 && p.delete('ipAddress'),
    seen: ['address that is none and cookie of 33 characters', 'code'],
  },
  'disabled accounts get tokens': {
    asks: p => asOwn(p, authenticators.disabled),
    seen: ['disabled account', 'outcome'],
  },
  'accounts without PlayReady get tokens': {
    asks: p => asOwn(p, authenticators['no-drm']),
    seen: ['account without this DRM', 'outcome'],
  },
  'no balance needed': { asks: p => asOwn(p, authenticators['no-balance']), seen: ['balance used up', 'outcome'] },
  'authenticators of any environment': {
    asks: p => asOwn(p, authenticators.production),
    seen: ['authenticator of the other environment', 'outcome'],
  },
  'tokens in base64': {
    answers: onToken(content => {
      content.token = Buffer.from(content.token, 'base64url').toString('base64')
    }),
    seen: ['^kid1', 'token'],
  },
  'tokens of another version': { answers: onToken(content => patch(content, 0, -1)), seen: ['^kid1', 'token'] },
  'tokens of another customer': { answers: onToken(content => patch(content, 4, 1)), seen: ['^kid1', 'token'] },
  'tokens with another length': { answers: onToken(content => patch(content, 49, 1)), seen: ['^kid1', 'token'] },
  'tokens without a UUID': { answers: onToken(content => patch(content, 18, 1)), seen: ['^kid1', 'token'] },
}

let theToken: string | undefined

t.test('verify finds every deviation, one at a time', async t => {
  const service = await startTestServer(t, { now: Date.now })
  t.ok(Object.keys(ROWS).length >= 34)
  const cache = new Map<string, Answer>()
  t.same(await findings(t, service.url, cache, {}), [], 'and nothing where there is none')
  for (const [title, deviation] of Object.entries(ROWS)) {
    const found = await findings(t, service.url, cache, deviation)
    const [name, what] = deviation.seen
    const isSeen = found.some(one => one.title === name && one.what === what)
    if (!isSeen) t.fail(`${title}: ${JSON.stringify(found.slice(0, 5))}`)
  }
})

async function findings(t: Test, url: string, cache: Map<string, Answer>, deviation: Partial<Deviation>) {
  const ask = deviating(url, cache, deviation)
  const verification = new Verification({
    service: new URL(url),
    family: playready,
    authenticators,
    isFree: false,
    timeout: 0,
    ask,
  })
  const { differences, unanswered } = await verification.run()
  t.same(unanswered, [])
  return differences.map(({ title, what, got }) => ({ title, what, got }))
}

/** In place of a true service, whose answers are remembered: most rows ask it the same. */
function deviating(url: string, cache: Map<string, Answer>, { asks, answers }: Partial<Deviation>): typeof ask {
  let number = 0
  return async (one, asked) => {
    const parameters = parametersOf(one, asked)
    asks?.(parameters)
    const known = await trueAnswer(url, cache, `${parameters}`)
    // The same answer comes several times, and each is to be one of its own.
    const id = `request-${number++}`
    const { 'x-request-id': former = '' } = known.headers
    const headers = { ...known.headers, 'x-request-id': id }
    const answer = { ...known, headers, body: known.body.replace(former, id) }
    onToken(content => patch(content, 60, number))(answer)
    answers?.(answer, parameters)
    const { status, type, body } = answer
    return { status, body, headers: new Headers({ ...answer.headers, 'content-type': type }) }
  }
}

async function trueAnswer(url: string, cache: Map<string, Answer>, form: string): Promise<Answer> {
  const known = cache.get(form)
  if (known !== undefined) return known
  const response = await fetch(`${url}/hms/pr/token?${form}`)
  const { 'content-type': type = '', ...all } = Object.fromEntries(response.headers)
  const kept = ['x-request-id', 'cache-control', 'x-ignored-parameters']
  const headers = Object.fromEntries(Object.entries(all).filter(([name]) => kept.includes(name)))
  const answer = { status: response.status, type, headers, body: await response.text() }
  cache.set(form, answer)
  return answer
}

interface Content {
  token: string
  licenseAcquisitionUrl: string
}

function onToken(change: (content: Content) => void): (answer: Answer) => void {
  return answer => {
    if (answer.status !== 200) return
    const content = JSON.parse(answer.body) as Content // of a true service
    change(content)
    answer.body = JSON.stringify(content)
  }
}

function onUrl(change: (url: string) => string): (answer: Answer) => void {
  return onToken(content => {
    content.licenseAcquisitionUrl = change(content.licenseAcquisitionUrl)
  })
}

interface ErrorContent {
  code: unknown
  message: string
  parameter?: string
  requestId: string
}

function onError(change: (error: ErrorContent) => void, type = 'application/json'): (answer: Answer) => void {
  return answer => {
    if (answer.type !== 'application/json') return
    const error = JSON.parse(answer.body) as ErrorContent // as above
    change(error)
    Object.assign(answer, { type, body: JSON.stringify(error) })
  }
}

function onStatus(from: number, to: number): (answer: Answer) => void {
  return answer => {
    if (answer.status === from) answer.status = to
  }
}

function patch(content: Content, at: number, by: number): void {
  const bytes = Buffer.from(content.token, 'base64url')
  bytes.writeUInt8(((bytes[at] ?? 0) + by) % 256, at)
  content.token = bytes.toString('base64url')
}

function inTheirCase(parameters: URLSearchParams): void {
  const names = Object.keys(sampleParameters)
  for (const [name, value] of [...parameters]) {
    const meant = names.find(one => one.toLowerCase() === name.toLowerCase())
    if (meant === undefined || meant === name) continue
    parameters.delete(name)
    parameters.set(meant, value)
  }
}

function onlyOne(parameters: URLSearchParams, name: string, which: 0 | -1): void {
  const value = parameters.getAll(name).at(which)
  if (value !== undefined) parameters.set(name, value)
}

function asOwn(parameters: URLSearchParams, authenticator: string | undefined): void {
  if (parameters.get('customerAuthenticator') === authenticator)
    parameters.set('customerAuthenticator', authenticators.own)
}
