import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { tokenParameters } from '../routes/token-operation.js'
import { catalogueJsonSchema } from '../schemas/catalogue.js'
import { jsonSchema } from '../schemas/json-schema.js'
import { metaOf } from '../schemas/rules.js'
import { playready } from '../src/drm/playready-family.js'
import { documentedRefusals } from '../src/errors/entitlement-refusal.js'
import { documentedErrors } from '../src/errors/error-catalogue.js'
import { envExample, withSettingTables } from './setting-pages.js'

/**
 * The pages of the reference by their file names in the folder, made from the schemas, the settings and the tables of
 * errors that the service runs on. Of `configuration.md` only the tables are made; the text around them stays as it is.
 */
export function referencePages(folder: string): Record<string, string> {
  return {
    '../.env.example': envExample(),
    'configuration.md': withSettingTables(readFileSync(`${folder}/configuration.md`, 'utf8')),
    'errors.md': errorsPage(),
    'parameters.md': parametersPage(),
    'catalogue.schema.json': `${JSON.stringify(catalogueJsonSchema(), null, 2)}\n`,
  }
}

function errorsPage(): string {
  const rows = [...documentedErrors.values()].map(
    ({ code, status, message }) => `| \`${code}\` | ${status} | ${message.replace(/[<>]/g, '\\$&')} |`,
  )
  const refusals = documentedRefusals.map(({ number, status, text }) => `| \`${number}\` | ${status} | ${text} |`)
  return `${generated}
# Errors

In the order in which the checks run: a request with several faults gets the first of these.
\`<…>\` stands for details. An error of HTTP itself (a wrong path, a wrong method) carries the HTTP status as its code.
From a [gateway](gateway.md#when-the-upstream-fails) \`-2030\` also comes with 502 and 504, and errors of the real service come with their own codes and texts.

| code | status | message |
| --- | --- | --- |
${rows.join('\n')}

## The entitlement service

The field \`error\` of an [entitlement's answer](entitlement.md) has one of the numbers above where no token can be issued, the HTTP status where HTTP itself refuses, or:

| error | status | errorText |
| --- | --- | --- |
${refusals.join('\n')}
`
}

function parametersPage(): string {
  const rows = Object.entries(tokenParameters(playready)).map(([name, schema]) => {
    const { description, example, 'x-error-code': code } = metaOf(schema)
    const { default: preset } = jsonSchema(schema)
    const need = !schema.safeParse(undefined).success ? 'yes' : preset === undefined ? 'no' : `no, \`${preset}\``
    return `| \`${name}\` | ${description} | ${need} | \`${example}\` | \`${code}\` |`
  })
  return `${generated}
# Parameters of \`/hms/pr/token\`

The last column is the error of a parameter that is given twice; the errors of wrong values are in [errors.md](errors.md).
Every licence parameter (\`kid\` to \`useHttps\`) may carry \`.N\` to make one token for several keys.

| name | rule | required, default | example | error |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`
}

const generated = '<!-- Made by `npm run docs` from the schemas. -->'

/** Run as a command, it writes the pages into the folder that it is given. */
const [, script = '', folder] = process.argv
if (folder !== undefined && import.meta.url === pathToFileURL(script).href)
  for (const [name, page] of Object.entries(referencePages(folder))) writeFileSync(`${folder}/${name}`, page)
