import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { z } from 'zod'
import { catalogueJsonSchema } from '../schemas/catalogue.js'
import { errorFormat } from '../schemas/credentials.js'
import { jsonSchema } from '../schemas/json-schema.js'
import { metaOf } from '../schemas/rules.js'
import { tokenRequestParameters } from '../schemas/token-request.js'
import { TOKEN_FAMILIES } from '../src/drm/families.js'
import type { TokenFamily } from '../src/drm/family.js'
import { playready } from '../src/drm/playready-family.js'
import { documentedRefusals } from '../src/errors/entitlement-refusal.js'
import { documentedErrors } from '../src/errors/error-catalogue.js'
import { TOKEN_DRMS } from '../src/ground/drms.js'
import { envExample, withSettingTables } from './setting-pages.js'

/**
 * The pages of the reference by their file names in the folder, made from the schemas, the settings and the tables of
 * errors that the service runs on. Of `configuration.md` only the tables are made; the text around them stays as it is.
 */
export function referencePages(folder: string): Record<string, string> {
  return {
    '../.env.example': envExample(),
    'configuration.md': withSettingTables(readFileSync(`${folder}/configuration.md`, 'utf8')),
    'errors.md': errorsPage(folder),
    'parameters.md': parametersPage(),
    'catalogue.schema.json': `${JSON.stringify(catalogueJsonSchema(), null, 2)}\n`,
  }
}

/** The published table. */
interface PublishedErrors {
  readonly errors: readonly { readonly code: number; readonly drm: readonly string[] }[]
}

function errorsPage(folder: string): string {
  const { errors } = JSON.parse(readFileSync(`${folder}/spec/errors.json`, 'utf8')) as PublishedErrors
  const drmsOf = new Map(
    errors.map(({ code, drm }) => [code, drm.length === TOKEN_DRMS.length ? 'all' : drm.join(', ')]),
  )
  const rows = [...documentedErrors.values()].map(
    ({ code, status, message }) =>
      `| \`${code}\` | ${status} | ${message.replace(/[<>]/g, '\\$&')} | ${drmsOf.get(code) ?? ''} |`,
  )
  const refusals = documentedRefusals.map(({ number, status, text }) => `| \`${number}\` | ${status} | ${text} |`)
  return `${generated}
# Errors

In the order in which the checks run: a request with several faults gets the first of these.
\`<…>\` stands for details. An error of HTTP itself (a wrong path, a wrong method) carries the HTTP status as its code.
From a [gateway](gateway.md#when-the-upstream-fails) \`-2030\` also comes with 502 and 504, and errors of the real service come with their own codes and texts.

| code | status | message | DRMs |
| --- | --- | --- | --- |
${rows.join('\n')}

## The entitlement service

The field \`error\` of an [entitlement's answer](entitlement.md) has one of the numbers above where no token can be issued, the HTTP status where HTTP itself refuses, or:

| error | status | errorText |
| --- | --- | --- |
${refusals.join('\n')}
`
}

function parametersPage(): string {
  const common = tokenRequestParameters(playready, playready.policySchema(EPOCH), EPOCH)
  return `${generated}
# Parameters of token requests

The last column is the error of a parameter that is given twice; the errors of wrong values are in [errors.md](errors.md).
A parameter of a key or of its licence may carry \`.N\` (from 0, without a gap, at most 16 keys) to make one token for several keys.

## Every token endpoint

${table({ ...common.credentials, errorFormat, ...common.restrictions, ...common.answer })}

${TOKEN_FAMILIES.map(familySection).join('\n')}`
}

function familySection(family: TokenFamily): string {
  const { token, keys, policy } = tokenRequestParameters(family, family.policySchema(EPOCH), EPOCH)
  const aliases = Object.entries(family.aliases ?? {}).map(
    ([alias, name]) => ` \`${alias}\` is another name of \`${name}\`.`,
  )
  return `## ${family.title}: \`${family.tokenPath}\`

${bindingOf(family)}${aliases.join('')}

${table({ ...token, ...keys, ...policy })}
`
}

function bindingOf({ deviceBinding }: TokenFamily): string {
  if (deviceBinding === 'always') return 'Its tokens can be bound to a device.'
  const { refusal, option } = deviceBinding
  if (option === undefined)
    return `Its tokens cannot be bound to a device: \`deviceId\` is refused with \`${refusal}\`.`
  return `Its tokens can be bound to a device, unless the account's option \`drm.${option}\` is off: then \`deviceId\` is refused with \`${refusal}\`.`
}

function table(parameters: Readonly<Record<string, z.ZodType>>): string {
  const rows = Object.entries(parameters).map(([name, schema]) => {
    const { description, example, 'x-error-code': code } = metaOf(schema)
    const { default: preset } = jsonSchema(schema)
    const isSaid = preset !== undefined && !Array.isArray(preset) && preset !== ''
    const need = !schema.safeParse(undefined).success ? 'yes' : isSaid ? `no, \`${preset}\`` : 'no'
    return `| \`${name}\` | ${description} | ${need} | \`${example}\` | \`${code}\` |`
  })
  return ['| name | rule | required, default | example | error |', '| --- | --- | --- | --- | --- |', ...rows].join(
    '\n',
  )
}

const EPOCH = () => 0

const generated = '<!-- Made by `npm run docs` from the schemas. -->'

/** Run as a command, it writes the pages into the folder that it is given. */
const [, script = '', folder] = process.argv
if (folder !== undefined && import.meta.url === pathToFileURL(script).href)
  for (const [name, page] of Object.entries(referencePages(folder))) writeFileSync(`${folder}/${name}`, page)
