import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Fastify from 'fastify'
import t from 'tap'
import { catalogueJsonSchema } from '../../schemas/catalogue.js'
import type { BrokenCatalogue } from '../../src/entitlement/catalogue/faults.js'
import { readCatalogueFile } from '../../src/entitlement/catalogue/file.js'
import { ConfigError } from '../../src/index.js'
import { CONTENT_KEY, startTestServer } from '../harness.js'
import { CUSTOMER } from '../redeeming.js'
import { broken, inOrder } from './broken-catalogues.js'
import { catalogueText } from './catalogue-text.js'
import { entitlementSettings } from './service.js'

t.test('every fault of a broken catalogue has its line and field, and no value is told', async t => {
  const path = join(t.testdir(), 'catalogue.json')
  for (const { title, text, faults } of broken) {
    writeFileSync(path, text)
    const told = await readCatalogueFile(path).then(
      () => [],
      (error: BrokenCatalogue) => error.faults,
    )
    t.match(told, faults, title)
    t.equal(told.length, faults.length, title)
    t.notMatch(told.join('\n'), new RegExp(CONTENT_KEY.slice(0, 12)), title)
  }
  for (const text of inOrder) {
    writeFileSync(path, text)
    await t.resolves(readCatalogueFile(path), text)
  }
  await t.rejects(readCatalogueFile(t.testdirName), { message: 'cannot be read: EISDIR' })
})

t.test('a catalogue in another encoding is a fault, because its viewers would be others', async t => {
  const path = join(t.testdir(), 'catalogue.json')
  const text = catalogueText('"everyone"', '["René"]')
  writeFileSync(path, text)
  await t.resolves(readCatalogueFile(path))
  writeFileSync(path, text, 'latin1')
  await t.rejects(readCatalogueFile(path), { message: 'line 11: is not UTF-8' })
  writeFileSync(path, text.trimEnd().replaceAll('\n', ' '), 'latin1')
  await t.rejects(readCatalogueFile(path), { message: 'line 1: is not UTF-8' })
  writeFileSync(path, `\ufeff${text}`, 'utf16le')
  await t.rejects(readCatalogueFile(path), { message: 'line 1: is not UTF-8' })
})

t.test('a broken catalogue stops the start', async t => {
  const settings = { ...(await entitlementSettings(t)), ENTITLEMENT_ACCOUNT: CUSTOMER }
  for (const { title, text, faults } of broken.filter(({ title }) => ['several faults', 'nothing'].includes(title))) {
    writeFileSync(String(settings.CATALOGUE_FILE), text)
    const error: unknown = await startTestServer(t, { settings }).catch(error => error)
    if (!(error instanceof ConfigError)) throw new Error(`no ConfigError for ${title}`)
    t.match(
      error.faults,
      faults.map(fault => (typeof fault === 'string' ? `CATALOGUE_FILE: ${fault}` : /^CATALOGUE_FILE: /)),
    )
  }
})

t.test('the published schema shows an editor the same, as far as a schema can', async t => {
  const service = Fastify({
    bodyLimit: 2 ** 24,
    ajv: {
      customOptions: {
        formats: { base64: true },
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        strict: false,
      },
    },
  })
  t.teardown(() => service.close())
  service.post('/', { schema: { body: catalogueJsonSchema() } }, () => 'in order')
  const statusOf = async (text: string) => {
    const { statusCode } = await service.inject({
      method: 'POST',
      url: '/',
      headers: { 'content-type': 'application/json' },
      payload: text,
    })
    return statusCode
  }
  for (const text of inOrder) t.equal(await statusOf(text), 200, text)
  for (const { title, text, isHidden } of broken) t.equal(await statusOf(text), isHidden ? 200 : 400, title)
})
