import type { CreatedAccount, RotatedAuthenticator, ShownAccount } from '../../schemas/admin.js'
import { ENVIRONMENTS } from '../environment.js'

export function listText(accounts: readonly ShownAccount[]): string {
  const rows = accounts.map(({ id, name, enabled, drm, services: { test, production } }) => [
    `${id}`,
    name,
    yesOrNo(enabled),
    yesOrNo(drm.playready),
    `${test.balance}`,
    `${production.balance}`,
  ])
  return table([['id', 'name', 'enabled', 'playready', 'test balance', 'production balance'], ...rows])
}

export function shownText({ id, name, enabled, drm, maxRedemptions, services }: ShownAccount): string {
  const about = [
    ['id', `${id}`],
    ['name', name],
    ['enabled', yesOrNo(enabled)],
    ['playready', yesOrNo(drm.playready)],
    ['redemptions', maxRedemptions === null ? 'unlimited' : `${maxRedemptions} per token`],
  ]
  const authenticators = ENVIRONMENTS.flatMap(environment =>
    services[environment].authenticators.map(({ createdAt, validUntil }) => [
      environment,
      createdAt,
      validUntil ?? '-',
    ]),
  )
  return [
    table([
      ...about,
      ...ENVIRONMENTS.map(environment => [`${environment} balance`, `${services[environment].balance}`]),
    ]),
    table([['authenticator for', 'since', 'until'], ...authenticators]),
  ].join('\n\n')
}

export function creationText({ id, authenticators }: CreatedAccount): string {
  const rows = ENVIRONMENTS.map(environment => [environment, authenticators[environment]])
  return `Account ${id}. Its authenticators, which nobody is shown again:\n\n${table(rows)}`
}

export function rotationText({ authenticator, othersValidUntil }: RotatedAuthenticator): string {
  return `${authenticator}\n\nNobody is shown it again. Those before it are valid until ${othersValidUntil} at most.`
}

function yesOrNo(truth: boolean): string {
  return truth ? 'yes' : 'no'
}

function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
  return rows.map(row => line(row).trimEnd()).join('\n')
}
