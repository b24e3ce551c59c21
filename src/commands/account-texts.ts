import type { AddedAuthenticator, CreatedAccount, RotatedAuthenticator, ShownAccount } from '../../schemas/admin.js'
import { TOKEN_DRMS } from '../ground/drms.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { table } from './text-table.js'

export function listText(accounts: readonly ShownAccount[]): string {
  const rows = accounts.map(({ id, name, enabled, drm, services: { test, production } }) => [
    `${id}`,
    name,
    yesOrNo(enabled),
    ...TOKEN_DRMS.map(option => yesOrNo(drm[option])),
    `${test.balance}`,
    `${production.balance}`,
  ])
  return table([['id', 'name', 'enabled', ...TOKEN_DRMS, 'test balance', 'production balance'], ...rows])
}

export function shownText(account: ShownAccount): string {
  const { id, name, enabled, drm, maxRedemptions, limits, charge, tokenStyle, strictParameters, services } = account
  const about = [
    ['id', `${id}`],
    ['name', name],
    ['enabled', yesOrNo(enabled)],
    ...TOKEN_DRMS.map(option => [option, yesOrNo(drm[option])]),
    ['bound FairPlay', yesOrNo(drm.fairplayDeviceBinding)],
    ['redemptions', maxRedemptions === null ? 'unlimited' : `${maxRedemptions} per token`],
    ['requests', limits.requestsPerMinute === null ? AS_SERVER : `${limits.requestsPerMinute} per minute`],
    ['tokens', limits.tokensPerDay === null ? 'unlimited' : `${limits.tokensPerDay} per day`],
    ['charge', `at ${charge}`],
    ['token style', tokenStyle ?? AS_SERVER],
    ['strict parameters', strictParameters === null ? AS_SERVER : yesOrNo(strictParameters)],
  ]
  return [
    table([
      ...about,
      ...ENVIRONMENTS.map(environment => [`${environment} balance`, `${services[environment].balance}`]),
    ]),
    authenticatorsText({ test: services.test.authenticators, production: services.production.authenticators }),
  ].join('\n\n')
}

type ShownAuthenticators = ShownAccount['services']['test']['authenticators']

export function authenticatorsText(authenticators: Readonly<Record<Environment, ShownAuthenticators>>): string {
  const rows = ENVIRONMENTS.flatMap(environment =>
    authenticators[environment].map(({ name, createdAt, validUntil }) => [
      environment,
      name,
      createdAt,
      validUntil ?? '-',
    ]),
  )
  return table([['authenticator for', 'name', 'since', 'until'], ...rows])
}

const AS_SERVER = 'as the server has it'

export function creationText({ id, authenticators }: CreatedAccount): string {
  const rows = ENVIRONMENTS.map(environment => [environment, authenticators[environment]])
  return `Account ${id}. Its authenticators, which are not shown again:\n\n${table(rows)}`
}

export function rotationText({ authenticator, othersValidUntil }: RotatedAuthenticator): string {
  return `${authenticator}\n\nIt is not shown again. Earlier ones without a name are valid until ${othersValidUntil} at most.`
}

export function additionText({ authenticator, validUntil }: AddedAuthenticator): string {
  const end = validUntil === null ? 'until it is removed' : `until ${validUntil}`
  return `${authenticator}\n\nIt is not shown again. It is valid ${end}.`
}

function yesOrNo(truth: boolean | null): string {
  return truth ? 'yes' : truth === null ? 'never' : 'no'
}
