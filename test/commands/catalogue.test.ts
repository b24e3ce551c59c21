import { readFileSync } from 'node:fs'
import t from 'tap'
import { CATALOGUE_TEXT, catalogueText } from '../entitlement/catalogue-text.js'
import { runCommand } from '../process.js'

t.test('catalogue check says what a catalogue holds, or what is wrong with it', async t => {
  t.testdir({ 'good.json': CATALOGUE_TEXT, 'broken.json': catalogueText('3600', '0') })
  const check = (file: string) => runCommand(t, ['catalogue', 'check', file])
  t.strictSame(await check('good.json'), { code: 0, stdout: 'OK: contents: 1, named policies: 1\n', stderr: '' })
  t.strictSame(await check('broken.json'), {
    code: 1,
    stdout: '',
    stderr: 'line 10: contents[0].duration: must be a whole number from 1 to 2592000\n',
  })
  t.match(await check('missing.json'), { code: 1, stderr: 'cannot be read: ENOENT\n' })
  t.match(await runCommand(t, ['catalogue', 'check']), { code: 1, stderr: /missing required argument 'file'/ })

  const settings = { ENTITLEMENT_PORT: '0', ENTITLEMENT_CLIENT_CA: 'broken.json', ENTITLEMENT_PROXIES: '127.0.0.1' }
  const serve = (file: string) => runCommand(t, ['serve', '-p', '0'], { ...settings, CATALOGUE_FILE: file })
  t.match(await serve('broken.json'), {
    code: 1,
    stderr:
      /^The configuration is wrong:\n {2}CATALOGUE_FILE: line 10: contents\[0\]\.duration: must be a whole number from 1 to 2592000\n$/,
  })
})

t.test('catalogue schema prints the one that is published', async t => {
  t.testdir()
  const { code, stdout } = await runCommand(t, ['catalogue', 'schema'])
  t.match({ code, stdout }, { code: 0, stdout: readFileSync('docs/catalogue.schema.json', 'utf8') })
})
