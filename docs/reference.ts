import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { allParameters, isRequired, parameterSchema } from '../schemas/openapi.js'
import { metaOf } from '../schemas/rules.js'
import { documentedErrors } from '../src/errors.js'

/** The pages of the reference by their file names, made from the schemas and the catalogue that the service runs on. */
export function referencePages(): Record<string, string> {
  return { 'errors.md': errorsPage(), 'parameters.md': parametersPage() }
}

function errorsPage(): string {
  const rows = [...documentedErrors.values()].map(
    ({ code, status, message }) => `| \`${code}\` | ${status} | ${message.replace(/[<>]/g, '\\$&')} |`,
  )
  return `${generated}
# Errors

In the order in which the checks run: a request with several faults gets the first of these.
\`<…>\` stands for details. An error of HTTP itself (a wrong path, a wrong method) carries the HTTP status as its code.
From a [gateway](gateway.md#bad-days) \`-2030\` also comes with 502 and 504, and errors of the real service come with their own codes and texts.

| code | status | message |
| --- | --- | --- |
${rows.join('\n')}
`
}

function parametersPage(): string {
  const rows = Object.entries(allParameters).map(([name, schema]) => {
    const { description, example, 'x-error-code': code } = metaOf(schema)
    const { default: preset } = parameterSchema(schema)
    const need = isRequired(schema) ? 'yes' : preset === undefined ? 'no' : `no, \`${preset}\``
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
  for (const [name, page] of Object.entries(referencePages())) writeFileSync(`${folder}/${name}`, page)
