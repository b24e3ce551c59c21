import t from 'tap'
import { OpenedContents } from '../../src/entitlement/catalogue/opened-contents.js'
import { contentOf } from '../../src/entitlement/catalogue/read-content.js'
import { content as entry, ID } from '../contents.js'

const MEBI = 1024 * 1024
const content = contentOf({ ...entry, contentID: ID })
if (Array.isArray(content)) throw new Error('the content of the tests is none')

function row(content_id: string, sealed: string) {
  return { content_id, sealed, updated_at: 0 }
}

t.test('an opened content is found for as long as the same is stored', async t => {
  const opened = new OpenedContents()
  opened.add(row('a', 'sealed'), content)
  t.equal(opened.find(row('a', 'sealed')), content)
  t.equal(opened.find(row('a', 'sealed anew')), undefined)
  t.equal(opened.find(row('b', 'sealed')), undefined)
  opened.forget('a')
  t.equal(opened.find(row('a', 'sealed')), undefined)
})

t.test('when there is no more room the oldest go', async t => {
  const opened = new OpenedContents()
  const [a, b, c] = [row('a', 'a'.repeat(3 * MEBI)), row('b', 'b'.repeat(3 * MEBI)), row('c', 'c'.repeat(3 * MEBI))]
  for (let turn = 0; turn < 5; turn += 1) opened.add(a, content)
  opened.add(b, content)
  t.same(
    [a, b].map(one => opened.find(one)),
    [content, content],
    'what is kept again takes its room once',
  )
  opened.add(c, content)
  t.same(
    [a, b, c].map(one => opened.find(one)),
    [undefined, content, content],
  )
  opened.forget('b')
  opened.forget('b')
  opened.add(a, content)
  t.same(
    [a, c].map(one => opened.find(one)),
    [content, content],
  )
  opened.add(row('d', 'd'.repeat(9 * MEBI)), content)
  t.same(
    [a, c, row('d', 'd'.repeat(9 * MEBI))].map(one => opened.find(one)),
    [undefined, undefined, undefined],
  )
})
