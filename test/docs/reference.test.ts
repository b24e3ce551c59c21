import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { referencePages } from '../../docs/reference.js'
import { readCatalogue } from '../../src/entitlement/catalogue/reading.js'
import { documentedErrors } from '../../src/errors/error-catalogue.js'
import { TOKEN_DRMS } from '../../src/ground/drms.js'

const read = (path: string) => readFileSync(path, 'utf8')

t.test('the reference pages are those that the schemas and the settings make', async t => {
  for (const [name, page] of Object.entries(referencePages('docs')))
    t.equal(read(`docs/${name}`), page, `docs/${name} is current (npm run docs)`)
})

t.test('the catalogue is the documented one, in its order', async t => {
  const { errors } = JSON.parse(read('docs/spec/errors.json')) as { errors: object[] } // the published table
  t.match(
    errors,
    [...documentedErrors.values()].map(({ code, message, status }) => ({ code, message, status })),
  )
  t.equal(errors.length, documentedErrors.size)
})

const docs = readdirSync('docs').filter(name => name.endsWith('.md'))
const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...docs.map(name => `docs/${name}`)]

t.test('links between the pages lead somewhere', async t => {
  for (const page of pages)
    for (const [, link = ''] of read(page).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g))
      t.ok(read(new URL(link, `file:///${page}`).pathname.slice(1)).length > 0, `${page}: ${link}`)
})

t.test('the catalogue in the docs is in order, and named where its schema is published', async t => {
  const [, text = ''] = /```json\n(.*?)```/s.exec(read('docs/catalogue.md')) ?? []
  const { contents, policies } = await readCatalogue(text)
  t.match({ contents: contents.size, policies }, { contents: 3, policies: 3 })
  const [catalogue = '', , content = ''] = [...read('docs/entitlement.md').matchAll(/```json\n(.*?)```/gs)].map(
    ([, json = '']) => json,
  )
  const walkthrough = JSON.parse(catalogue) as { contents: unknown[] } // read below
  walkthrough.contents.push(JSON.parse(content))
  t.match(
    [...(await readCatalogue(JSON.stringify(walkthrough))).contents.values()],
    [{ licences: [{ drm: 'playready' }] }, { licences: TOKEN_DRMS.map(drm => ({ drm })) }],
  )
  const { $schema } = JSON.parse(text) as { $schema: string } // it has just been read
  const [, path = ''] = /^\.\/node_modules\/expressplay-token-backend\/(.+)$/.exec($schema) ?? []
  t.ok(JSON.parse(read(path)))
})
