import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { AUTHENTICATOR } from '../../schemas/credentials.js'
import { FAMILY_NAMES, Families } from '../drm/families.js'
import { type Authenticators, TRAITS, type Trait } from '../verify/cases.js'
import { type Report, type Unanswered, Verification } from '../verify/verification.js'
import type { CommandContext } from './command-context.js'
import { causeOf } from './no-answer.js'
import { table } from './text-table.js'

export interface VerifyOptions {
  readonly upstream?: string
  readonly drm: string
  readonly authenticator?: string
  readonly productionAuthenticator?: string
  readonly account: readonly string[]
  readonly customer?: string
  readonly licenceHost?: string
  readonly free?: true
  readonly json?: true
  readonly timeout: string
}

/** Prints where a service differs from the specification. The exit code: 0 nowhere, 1 somewhere, 2 no answer. */
export async function verifyService(
  options: VerifyOptions,
  { stdin, stdout, stderr }: CommandContext,
): Promise<number> {
  try {
    const service = serviceOf(options.upstream)
    const family = Families.called(options.drm)
    if (family === undefined) throw new WrongOption(`--drm must be one of ${FAMILY_NAMES}`)
    const authenticators = await authenticatorsOf(options, stdin)
    const verification = new Verification({
      service,
      family,
      authenticators,
      customerId: customerIdOf(options.customer),
      licenceHost: options.licenceHost?.toLowerCase(),
      isFree: options.free === true,
      timeout: millisecondsOf(options.timeout),
    })
    stderr.write(`${announcement(service, verification)}\n`)
    const report = await verification.run()
    const printed = { ...report, unanswered: report.unanswered.map(one => ({ ...one, cause: causeOf(one.cause) })) }
    stdout.write(`${options.json ? JSON.stringify(printed, null, 2) : reportText(printed)}\n`)
    if (report.unanswered.length > 0) return 2
    return report.differences.length > 0 ? 1 : 0
  } catch (error) {
    if (!(error instanceof WrongOption)) throw error
    stderr.write(`${error.message}\n`)
    return 2
  }
}

/** Says which option, and not what was given: it may be an authenticator. */
class WrongOption extends Error {}

function serviceOf(given: string | undefined): URL {
  const url = given !== undefined && URL.canParse(given) ? new URL(given) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.search + url.hash + url.username + url.password === '')
    return url
  throw new WrongOption('--upstream must be an http or https URL, such as https://pr-gen.test.expressplay.com')
}

function millisecondsOf(seconds: string): number {
  if (/^[1-9]\d{0,2}$/.test(seconds)) return Number(seconds) * 1000
  throw new WrongOption('--timeout must be a whole number of seconds from 1 to 999')
}

function customerIdOf(given: string | undefined): number | undefined {
  if (given === undefined || /^\d{1,10}$/.test(given)) return given === undefined ? undefined : Number(given)
  throw new WrongOption('--customer must be the id of a customer')
}

async function authenticatorsOf(options: VerifyOptions, stdin: Readable): Promise<Authenticators> {
  const given = givenIn(options)
  const lines = given.some(({ value }) => value === '-') ? (await text(stdin)).split(/\r?\n/) : []
  const found: { own: string } & Partial<Record<Trait, string>> = { own: '' }
  for (const { name, option, value } of given) {
    const authenticator = value === '-' ? (lines.shift() ?? '').trim() : value
    if (!AUTHENTICATOR.test(authenticator))
      throw new WrongOption(`${option} must be <id>,<32 hex digits>, or - to read it from standard input`)
    found[name] = authenticator
  }
  return found
}

interface Given {
  readonly name: Trait | 'own'
  readonly option: string
  readonly value: string
}

function givenIn({ authenticator, productionAuthenticator: production, account }: VerifyOptions): Given[] {
  const own: Given = { name: 'own', option: '--authenticator', value: authenticator ?? '' }
  const other: Given = { name: 'production', option: '--production-authenticator', value: production ?? '' }
  return [own, ...(production === undefined ? [] : [other]), ...account.map(accountOf)]
}

function accountOf(given: string): Given {
  const [, written, value = ''] = /^([a-z-]+)=(.*)$/s.exec(given) ?? []
  const trait = written === 'no-playready' ? 'no-drm' : written // as it was before there were others
  const name = ACCOUNT_TRAITS.find(one => one === trait)
  if (name !== undefined) return { name, option: `--account ${name}=`, value }
  throw new WrongOption(`--account must be one of ${ACCOUNT_TRAITS.join(', ')}, with = and an authenticator`)
}

const ACCOUNT_TRAITS = TRAITS.filter(trait => trait !== 'production')

function announcement(service: URL, { requests, credits }: Verification): string {
  const cost = credits === 0 ? 'None should get a token' : `${credits} should get a token, and cost as many`
  return `Sending ${requests} requests to ${service.origin}, one at a time. ${cost}; a refusal that does not come costs one, too.`
}

type PrintedReport = Omit<Report, 'unanswered'> & {
  readonly unanswered: readonly (Unanswered & { readonly cause: string })[]
}

function reportText({ requests, tokens, differences, unanswered, notTried }: PrintedReport): string {
  const found = differences.map(({ title, method, what, expected, got, isDecided }) => [
    ...[title, method.toUpperCase(), isDecided ? `${what} *` : what],
    ...[expected, got],
  ])
  const silent = unanswered.map(({ title, method, cause }) => [title, method.toUpperCase(), cause])
  const left = notTried.map(({ title, trait }) => [title, optionFor(trait)])
  const cases = new Set(differences.map(({ title, method }) => `${method} ${title}`)).size
  const decided = differences.filter(({ isDecided }) => isDecided).length
  return [
    ...(found.length > 0 ? [table([['case', 'method', 'what', 'expected', 'got'], ...found])] : []),
    ...(silent.length > 0 ? [table([['no answer to', 'method', 'why'], ...silent])] : []),
    ...(left.length > 0 ? [table([['not tried', 'needs'], ...left])] : []),
    `${counted(requests, 'request')}, ${counted(tokens, 'token')} issued. ${counted(differences.length, 'difference')} in ${counted(cases, 'answer')}.${
      decided > 0 ? ` ${decided} of them, marked with *, in what the public documentation leaves open.` : ''
    }`,
  ].join('\n\n')
}

function optionFor(trait: Trait): string {
  return trait === 'production' ? '--production-authenticator <id,hex>' : `--account ${trait}=<id,hex>`
}

function counted(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`
}
