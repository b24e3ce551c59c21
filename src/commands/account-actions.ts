import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import {
  accountChange,
  accountPath,
  authenticatorAddition,
  authenticatorPath,
  authenticatorsPath,
  balanceChange,
  newAccount,
  read,
  rotation,
  type ShownAccount,
} from '../../schemas/admin.js'
import type { Administration } from '../accounts/administration.js'
import { byDrm, DRM_OPTIONS, type DrmOption } from '../ground/drms.js'
import { additionText, authenticatorsText, creationText, listText, rotationText, shownText } from './account-texts.js'
import { administer } from './administer.js'
import type { CommandContext } from './command-context.js'

/** What every command of these takes. */
export interface Common {
  readonly url?: string
  readonly json?: true
}

type Answer = 'yes' | 'no'

/** An option for each DRM: `--playready no`. */
type DrmAnswers = Readonly<Partial<Record<DrmOption, Answer>>>

export function listAccounts(options: Common, context: CommandContext): Promise<number> {
  return administer(options.url, context, async administration => {
    const accounts: ShownAccount[] = []
    for await (const page of pages(administration)) accounts.push(...page)
    return printed(options, accounts, listText)
  })
}

export function showAccount(given: string, options: Common, context: CommandContext): Promise<number> {
  return administer(options.url, context, async administration =>
    printed(options, await administration.show(idOf(given)), shownText),
  )
}

/** What `create` and `change` have in common. */
interface AccountOptions extends Common, DrmAnswers {
  readonly name?: string
  readonly enabled?: Answer
  readonly maxRedemptions?: string
  readonly requestsPerMinute?: string
  readonly tokensPerDay?: string
  readonly charge?: string
  readonly tokenStyle?: string
  readonly strictParameters?: Answer | 'none'
}

export interface Creation extends AccountOptions {
  readonly id?: string
  readonly balance?: string
  readonly test?: string
  readonly production?: string
}

export function createAccount({ id, balance, ...options }: Creation, context: CommandContext): Promise<number> {
  return administer(options.url, context, async administration => {
    const [test, production] = await linesFor(context.stdin, options.test, options.production)
    const account = read(newAccount, {
      id: numberOf(id),
      balance: numberOf(balance),
      // No list of all its DRMs: what is not said is on.
      drm: byDrm(drm => truthOf(options[drm]) ?? true),
      ...settingsOf(options),
      authenticators: { test, production },
    })
    return printed(options, await administration.create(account), creationText)
  })
}

export type Change = AccountOptions

export function changeAccount(given: string, options: Change, context: CommandContext): Promise<number> {
  return administer(options.url, context, async administration => {
    const drm = DRM_OPTIONS.some(one => options[one]) ? byDrm(one => truthOf(options[one])) : undefined
    const change = read(accountChange, { drm, ...settingsOf(options) })
    return printed(options, await administration.change(idOf(given), change), shownText)
  })
}

export interface BalanceOptions extends Common {
  readonly add?: string
  readonly set?: string
}

export function changeBalance(
  given: string,
  environment: string,
  options: BalanceOptions,
  context: CommandContext,
): Promise<number> {
  return administer(options.url, context, async administration => {
    const change = read(balanceChange, { environment, add: numberOf(options.add), set: numberOf(options.set) })
    const shown = await administration.changeBalance(idOf(given), change)
    return printed(options, shown, ({ balance }) => `${balance}`)
  })
}

export interface RotationOptions extends Common {
  readonly authenticator?: string
  readonly validFor?: string
}

export function rotateAuthenticator(
  given: string,
  environment: string,
  options: RotationOptions,
  context: CommandContext,
): Promise<number> {
  return administer(options.url, context, async administration => {
    const [authenticator] = await linesFor(context.stdin, options.authenticator)
    const order = read(rotation, { environment, authenticator, validForSeconds: numberOf(options.validFor) })
    return printed(options, await administration.rotate(idOf(given), order), rotationText)
  })
}

export function listAuthenticators(given: string, options: Common, context: CommandContext): Promise<number> {
  return administer(options.url, context, async administration => {
    const { services } = await administration.show(idOf(given))
    const { test, production } = services
    const authenticators = { test: test.authenticators, production: production.authenticators }
    return printed(options, authenticators, authenticatorsText)
  })
}

export interface AdditionOptions extends Common {
  readonly name?: string
  readonly authenticator?: string
  readonly validUntil?: string
}

export function addAuthenticator(
  given: string,
  where: string,
  { name, validUntil, ...options }: AdditionOptions,
  context: CommandContext,
): Promise<number> {
  return administer(options.url, context, async administration => {
    const { id, environment } = read(authenticatorsPath, { id: given, environment: where })
    const [authenticator] = await linesFor(context.stdin, options.authenticator)
    const added = read(authenticatorAddition, { name, authenticator, validUntil })
    return printed(options, await administration.addAuthenticator(id, environment, added), additionText)
  })
}

export function removeAuthenticator(
  given: string,
  environment: string,
  name: string,
  options: Common,
  context: CommandContext,
): Promise<number> {
  return administer(options.url, context, async administration => {
    const path = read(authenticatorPath, { id: given, environment, name })
    await administration.removeAuthenticator(path)
    return printed(options, path, () => `${name} is not valid any more.`)
  })
}

async function* pages(administration: Administration): AsyncGenerator<readonly ShownAccount[]> {
  let after: number | null = 0
  while (after !== null) {
    const page = await administration.list({ after, limit: 1000 })
    yield page.accounts
    after = page.next
  }
}

function settingsOf(options: AccountOptions) {
  const { name, enabled, maxRedemptions, charge, tokenStyle, strictParameters } = options
  return {
    name,
    enabled: truthOf(enabled),
    maxRedemptions: limitOf(maxRedemptions),
    limits: limitsOf(options),
    charge,
    tokenStyle: tokenStyle === 'none' ? null : tokenStyle,
    strictParameters: strictParameters === 'none' ? null : truthOf(strictParameters),
  }
}

function printed<T>({ json }: Common, answer: T, readable: (answer: T) => string): string {
  return json ? JSON.stringify(answer, null, 2) : readable(answer)
}

function idOf(given: string): number {
  return read(accountPath, { id: given }).id
}

/** What is no number stays a text, which the schema refuses. */
function numberOf(given: string | undefined): string | number | undefined {
  return given !== undefined && /^-?\d+$/.test(given) ? Number(given) : given
}

function limitOf(given: string | undefined): string | number | null | undefined {
  return given === 'none' ? null : numberOf(given)
}

/** None at all where no option names one: an empty change is refused. */
function limitsOf({ requestsPerMinute, tokensPerDay }: Pick<Change, 'requestsPerMinute' | 'tokensPerDay'>) {
  if (requestsPerMinute === undefined && tokensPerDay === undefined) return undefined
  return { requestsPerMinute: limitOf(requestsPerMinute), tokensPerDay: limitOf(tokensPerDay) }
}

function truthOf(given: Answer | undefined): boolean | undefined {
  return given && given === 'yes'
}

/** `-` stands for a line of standard input, because what stands in a command stays in the shell's history. */
async function linesFor(stdin: Readable, ...given: readonly (string | undefined)[]): Promise<(string | undefined)[]> {
  const lines = given.includes('-') ? (await text(stdin)).split(/\r?\n/) : []
  return given.map(one => (one === '-' ? (lines.shift() ?? '') : one))
}
