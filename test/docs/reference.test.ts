import { readFileSync } from 'node:fs'
import t from 'tap'
import { referencePages } from '../../docs/reference.js'
import { documentedErrors } from '../../src/errors.js'

const read = (path: string) => readFileSync(path, 'utf8')

t.test('the reference pages are those that the schemas make', async t => {
  for (const [name, page] of Object.entries(referencePages()))
    t.equal(read(`docs/${name}`), page, `docs/${name} is current (npm run docs)`)
})

t.test('the catalogue is the documented one, in its order', async t => {
  const { errors } = JSON.parse(read('test/vectors/errors.json')) as { errors: object[] } // the published table
  t.match(
    errors,
    [...documentedErrors.values()].map(({ code, message, status }) => ({ code, message, status })),
  )
  t.equal(errors.length, documentedErrors.size)
})

t.test('links between the pages lead somewhere', async t => {
  for (const page of ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs/differences.md', 'docs/architecture.md'])
    for (const [, link = ''] of read(page).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g))
      t.ok(read(new URL(link, `file:///${page}`).pathname.slice(1)).length > 0, `${page}: ${link}`)
})
