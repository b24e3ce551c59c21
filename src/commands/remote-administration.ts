import * as z from 'zod'
import {
  type AccountChange,
  type AuthenticatorAddition,
  type AuthenticatorPath,
  accountPage,
  addedAuthenticator,
  type BalanceChange,
  createdAccount,
  type NewAccount,
  type PageQuery,
  type Rotation,
  rotatedAuthenticator,
  shownAccount,
  shownBalance,
} from '../../schemas/admin.js'
import { errorAnswer, textOfMessage } from '../../schemas/answers.js'
import type { Administration } from '../accounts/administration.js'
import { StatusError } from '../errors/public-error.js'
import type { Environment } from '../ground/environment.js'
import { causeOfFetch, NoAnswer } from './no-answer.js'

const TIMEOUT_MS = 10_000

/** Administration through a server's admin API. */
export class RemoteAdministration implements Administration {
  readonly #server: string
  readonly #token: string | undefined

  constructor(server: string, token: string | undefined) {
    this.#server = server.replace(/\/+$/, '')
    this.#token = token
  }

  list({ after, limit }: PageQuery) {
    return this.#ask(accountPage, 'GET', `?after=${after}&limit=${limit}`)
  }

  show(id: number) {
    return this.#ask(shownAccount, 'GET', `/${id}`)
  }

  create(account: NewAccount) {
    return this.#ask(createdAccount, 'POST', '', account)
  }

  change(id: number, change: AccountChange) {
    return this.#ask(shownAccount, 'PATCH', `/${id}`, change)
  }

  changeBalance(id: number, change: BalanceChange) {
    return this.#ask(shownBalance, 'POST', `/${id}/balance`, change)
  }

  rotate(id: number, rotation: Rotation) {
    return this.#ask(rotatedAuthenticator, 'POST', `/${id}/authenticators`, rotation)
  }

  addAuthenticator(id: number, environment: Environment, added: AuthenticatorAddition) {
    const validUntil = added.validUntil == null ? null : new Date(added.validUntil).toISOString()
    return this.#ask(addedAuthenticator, 'POST', `/${id}/authenticators/${environment}`, { ...added, validUntil })
  }

  async removeAuthenticator({ id, environment, name }: AuthenticatorPath) {
    const path = `/${id}/authenticators/${environment}/${encodeURIComponent(name)}`
    await this.#ask(z.undefined(), 'DELETE', path)
  }

  async #ask<T>(schema: z.ZodType<T>, method: string, path: string, body?: object): Promise<T> {
    const { status, content } = await this.#send(method, path, body)
    const answer = schema.safeParse(content)
    if (status < 300 && answer.success) return answer.data
    const { data: refusal } = errorAnswer.safeParse(content)
    // A missing account names a parameter; a missing admin API does not.
    if (status === 404 && refusal?.parameter === undefined)
      throw new StatusError(404, `${this.#origin()} has no admin API: set the same ADMIN_TOKEN there and here`)
    if (refusal !== undefined && status < 500)
      throw new StatusError(status, textOfMessage(refusal.message), refusal.parameter)
    throw new NoAnswer(this.#origin(), `${status}, which is none of the admin API's`)
  }

  async #send(method: string, path: string, body?: object): Promise<{ status: number; content: unknown }> {
    try {
      const answer = await fetch(new URL(`${this.#server}/admin/api/accounts${path}`), {
        method,
        headers: {
          ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      return { status: answer.status, content: await answer.json().catch(() => undefined) }
    } catch (error) {
      throw new NoAnswer(this.#origin(), causeOfFetch(error))
    }
  }

  /** A URL may hold a password, which is not printed. */
  #origin(): string {
    return URL.canParse(this.#server) ? new URL(this.#server).origin : 'this URL'
  }
}
