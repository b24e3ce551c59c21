import type { TokenFamily } from '../drm/family.js'
import { documentedErrors, type ErrorCode } from '../errors/error-catalogue.js'
import { styleOf, VERSION_2015 } from '../tokens/outer-layout.js'
import { type Answer, type IssuedOutcome, type OtherOutcome, type Outcome, outcomeOf } from './answer-outcome.js'
import type { ExpectedRefusal, ExpectedToken } from './cases.js'

/** Where an answer is not what the specification says. */
export interface Difference {
  readonly what: What
  readonly expected: string
  readonly got: string
}

/** What the public documentation leaves open, so that the specification had to decide. */
const DECIDED = [
  'parameter',
  'requestId',
  'x-request-id',
  'x-ignored-parameters',
  'x-assumed-parameters',
  'cache-control',
] as const

type Documented = 'status' | 'outcome' | 'code' | 'text' | 'content type' | 'token' | 'licenseAcquisitionUrl'
type What = Documented | (typeof DECIDED)[number]

export function isDecided({ what }: Difference): boolean {
  return DECIDED.some(one => one === what)
}

/** Nothing of the answer's token is in what it got; texts are the answer's own. */
export function differences(
  expected: ExpectedRefusal | ExpectedToken,
  answer: Answer,
  family: TokenFamily,
): Difference[] {
  const outcome = outcomeOf(answer, family)
  const found =
    'code' in expected ? ofRefusal(expected, answer, outcome, family) : ofToken(expected, answer, outcome, family)
  return found.filter(({ expected, got }) => expected !== got)
}

function ofToken(
  { customerId, ignored = NONE, assumed = NONE, scheme }: ExpectedToken,
  answer: Answer,
  outcome: Outcome,
  family: TokenFamily,
): Difference[] {
  const { answer: form, licences } = family
  const status = compared('status', '200', `${answer.status}`)
  // The rest of an answer of another kind differs as well, and says nothing more.
  if (outcome.kind !== 'a token') return [status, compared('outcome', 'a token', presentOutcome(outcome))]
  return [
    status,
    ...ofEvery(answer),
    compared('content type', form.contentType, header(answer, 'content-type')),
    compared('x-ignored-parameters', ignored, header(answer, 'x-ignored-parameters')),
    compared('x-assumed-parameters', assumed, header(answer, 'x-assumed-parameters')),
    ...ofUrl(outcome.licenseAcquisitionUrl, licences.path, scheme),
    ...ofLayout(outcome, customerId, family),
  ]
}

function ofRefusal(
  { code, parameter, isPage }: ExpectedRefusal,
  answer: Answer,
  outcome: Outcome,
  { errorTexts }: TokenFamily,
): Difference[] {
  const { message, status: documented } = entry(code)
  const status = compared('status', `${documented}`, `${answer.status}`)
  if (outcome.kind !== 'a refusal') return [status, compared('outcome', 'a refusal', presentOutcome(outcome))]
  const found = [status, ...ofEvery(answer), compared('code', `${code}`, `${outcome.code ?? NONE}`)]
  const type = header(answer, 'content-type')
  const text = documentedText(errorTexts?.[code] ?? message)
  const shownText = text.endsWith(':') ? `${text} …` : text
  // An error of the error format itself can't be in the format that was asked for.
  if (isPage === true || code === -3004)
    return [
      ...found,
      compared('content type', 'text/html', type.replace(/;.*/s, '')),
      compared('text', text, outcome.text.includes(text) ? text : outcome.text),
    ]
  return [
    ...found,
    compared('content type', 'application/json', type),
    compared('text', shownText, isText(outcome.text, text) ? shownText : outcome.text),
    compared('text', before(outcome.code), before(outcome.bracketed ?? outcome.code)),
    compared('requestId', header(answer, 'x-request-id'), outcome.requestId ?? NONE),
    compared('parameter', parameter ?? outcome.parameter ?? NONE, outcome.parameter ?? NONE),
  ]
}

/** What stands before a text. */
function before(code: string | number = NONE): string {
  return `[${code}] before it`
}

/** Without the place of the details. */
function documentedText(message: string): string {
  return message.replace(/ *<.*/s, '')
}

const NONE = 'none'

function ofEvery(answer: Answer): Difference[] {
  return [
    compared('cache-control', 'no-store', header(answer, 'cache-control')),
    compared('x-request-id', 'any', answer.headers.has('x-request-id') ? 'any' : NONE),
  ]
}

const SPELLING = 'base64url without padding'
const LAYOUT = 'the outer layout of 2015 or of 2021'

/** The outer layouts that public samples of a token have (spec: playready-token.md, the token and token style). */
function ofLayout({ token: text }: IssuedOutcome, customerId: number, { tokenVersion }: TokenFamily): Difference[] {
  const token = Buffer.from(text, 'base64url')
  if (token.toString('base64url') !== text) return [compared('token', SPELLING, 'something else')]
  const style = styleOf(token)
  if (style === undefined) return [compared('token', LAYOUT, `${token.length} bytes that begin with ${token[0]}`)]
  const version = style === '2015' ? VERSION_2015 : tokenVersion
  return [
    compared('token', `version ${version}`, `version ${token[0]}`),
    compared('token', `customer ${customerId}`, `customer ${token.readUInt32BE(1)}`),
  ]
}

/** Which scheme is documented where the request says it. */
function ofUrl(url: string, path: string, scheme = 'http(s)'): Difference[] {
  const form = `${scheme}://…${path}`
  const [, found = '', rest = ''] = /^(https?):\/\/[^/?#]+(\/[^?#]+)$/.exec(url.endsWith(path) ? url : '') ?? []
  const isDocumented = rest !== '' && (scheme === 'http(s)' || found === scheme)
  return [compared('licenseAcquisitionUrl', form, isDocumented ? form : url)]
}

/** Whether it is the documented text, and behind a colon details. */
function isText(given: string, documented: string): boolean {
  if (!given.startsWith(documented)) return false
  const rest = given.slice(documented.length)
  return documented.endsWith(':') ? /^ ./s.test(rest) : rest === '' || /^: ./s.test(rest)
}

function presentOutcome(outcome: Outcome): string {
  if (outcome.kind === 'a token') return 'a token'
  const { code, text }: OtherOutcome = outcome
  return [outcome.kind, ...(code === undefined ? [] : [`${code}`]), ...(text === '' ? [] : [text])].join(', ')
}

function compared(what: What, expected: string, got: string): Difference {
  return { what, expected, got }
}

function header({ headers }: Answer, name: string): string {
  return headers.get(name) ?? NONE
}

function entry(code: ErrorCode) {
  const documented = documentedErrors.get(code)
  if (documented === undefined) throw new Error(`${code} is not documented`)
  return documented
}

/** What no answer shows by itself: that another one had the same token or request id, and which host is whose. */
export class DifferencesBetween {
  readonly #hosts: ReadonlySet<string>
  readonly #family: TokenFamily
  readonly #tokens = new Set<string>()
  readonly #requestIds = new Set<string>()

  /** `hosts` may be in licence URLs. */
  constructor(hosts: ReadonlySet<string>, family: TokenFamily) {
    this.#hosts = hosts
    this.#family = family
  }

  of(answer: Answer): Difference[] {
    const outcome = outcomeOf(answer, this.#family)
    const found: Difference[] = []
    const requestId = answer.headers.get('x-request-id')
    if (requestId !== null && isKnown(this.#requestIds, requestId)) found.push(again('x-request-id'))
    if (outcome.kind !== 'a token') return found
    if (isKnown(this.#tokens, outcome.token)) found.push(again('token'))
    const { hostname } = URL.canParse(outcome.licenseAcquisitionUrl) ? new URL(outcome.licenseAcquisitionUrl) : NOWHERE
    if (!this.#hosts.has(hostname))
      found.push({
        what: 'licenseAcquisitionUrl',
        expected: `on ${[...this.#hosts].join(' or ')}`,
        got: `on ${hostname}`,
      })
    return found
  }
}

const NOWHERE = { hostname: 'no host' }

function again(what: 'token' | 'x-request-id'): Difference {
  return { what, expected: 'another one each time', got: 'that of an earlier answer' }
}

function isKnown(known: Set<string>, text: string): boolean {
  const isKnown = known.has(text)
  known.add(text)
  return isKnown
}
