import { X509Certificate } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { createSecureContext, type SecureContext } from 'node:tls'
import { errors, type Pool } from 'undici'
import { errorWord } from '../../connections/error-word.js'
import { keptConnections, requestUntil } from '../../connections/kept-connections.js'
import { WaitingLine } from '../../connections/waiting-line.js'
import type { ReceivedAnswer } from './decision.js'
import { type Denied, denied } from './denials.js'

/** An answer has a few hundred bytes; what is larger is none. */
const LARGEST_ANSWER = 65_536
const HEADERS = { accept: 'application/json', 'content-type': 'application/json' }

export interface ConnectionsParts {
  readonly url: URL
  /** Who we are: certificate and key, PEM. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Who may have certified the service, PEM; without it the authorities that Node knows. */
  readonly ca?: string | undefined
  /** Milliseconds, for all of a question. */
  readonly timeout: number
  readonly connections: number
}

/** The connections to one service, which are kept. Each message is sent once. */
export class Connections {
  readonly #pool: Pool
  /** Not the pool's: what is given up while it waits there costs it a connection. */
  readonly #line: WaitingLine
  readonly #path: string
  readonly #timeout: number

  constructor({ url, timeout, connections, ...identity }: ConnectionsParts) {
    this.#path = url.pathname
    this.#timeout = timeout
    this.#line = new WaitingLine(connections, Number.POSITIVE_INFINITY, why => new Error(why))
    this.#pool = keptConnections(url.origin, {
      connections,
      connectTimeout: timeout,
      largestAnswer: LARGEST_ANSWER,
      tls: { secureContext: secureContextOf(identity) },
    })
  }

  /** What came back, or why nothing did. */
  async post(body: string): Promise<ReceivedAnswer | Denied> {
    const giveUp = new AbortController()
    const timer = setTimeout(() => giveUp.abort(), this.#timeout)
    try {
      return await this.#inTurn(body, giveUp.signal)
    } catch (error) {
      return giveUp.signal.aborted ? denied('late') : failureOf(error)
    } finally {
      clearTimeout(timer)
    }
  }

  async #inTurn(body: string, signal: AbortSignal): Promise<ReceivedAnswer> {
    // The signal comes first: its time began earlier.
    const turn = this.#line.enter(this.#timeout, signal)
    await turn
    try {
      // Who left may have left because its time was over, and ours may be over at the same moment.
      if (turn !== undefined) await setImmediate()
      signal.throwIfAborted()
      return await this.#send(body, signal)
    } finally {
      this.#line.leave()
    }
  }

  async #send(body: string, signal: AbortSignal): Promise<ReceivedAnswer> {
    const request = { method: 'POST', path: this.#path, headers: HEADERS, body } as const
    const answer = await requestUntil(this.#pool, signal, request)
    return { status: answer.statusCode, body: await answer.body.text() }
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}

function failureOf(error: unknown): Denied {
  if (error instanceof errors.ClientDestroyedError || error instanceof errors.ClientClosedError) return denied('closed')
  const word = errorWord(error)
  if (/^UND_ERR_(?:RES_EXCEEDED_MAX_SIZE|HEADERS_OVERFLOW)$/.test(word)) return denied('tooLarge', word)
  if (/TIMEOUT|^ETIMEDOUT$/.test(word)) return denied('late', word)
  return denied(isAboutCertificate(word) ? 'untrusted' : 'unreachable', word)
}

/** Of OpenSSL and Node; an alert is what the service says of ours. */
function isAboutCertificate(word: string): boolean {
  if (word.includes('ALERT')) return false
  return /CERT|CRL|^UNABLE_TO_|^HOSTNAME_|^(?:INVALID_CA|PATH_LENGTH_EXCEEDED|INVALID_PURPOSE)$/.test(word)
}

/** Reads the texts at once, so that a wrong one is the mistake of who has given it. */
function secureContextOf({ cert, key, ca }: Pick<ConnectionsParts, 'cert' | 'key' | 'ca'>): SecureContext {
  if ((cert === undefined) !== (key === undefined)) throw new TypeError('cert and key must be given together')
  // Node takes empty ones for none.
  if (cert === '' || key === '') throw new TypeError(WRONG_IDENTITY)
  // OpenSSL trusts nobody, without a word, when there is no certificate in it.
  if (ca !== undefined) requireCertificate(ca)
  try {
    return createSecureContext({ cert, key, ca, minVersion: 'TLSv1.2' })
  } catch {
    // The reason may quote a key.
    throw new TypeError(WRONG_IDENTITY)
  }
}

const WRONG_IDENTITY = 'cert and key must be a certificate and its private key in PEM'

function requireCertificate(ca: string): void {
  try {
    new X509Certificate(ca)
  } catch {
    throw new TypeError('ca must be certificates in PEM')
  }
}
