import { spawn } from 'node:child_process'
import { createHmac, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Dispatcher, Pool } from 'undici'
import { webhookAnswer } from '../../schemas/webhook.js'
import { TestAuthority } from './certificates.js'
import { CONTENT, SECRET, startEntitled } from './webhook-customer.js'

const page = readFileSync('docs/webhook.md', 'utf8')

t.test('the endpoint of the documentation works, and is fooled by nobody', async t => {
  const authority = await TestAuthority.create()
  const { port, caFile } = await startDocumented(t, authority)
  const settings = {
    ENTITLEMENT_WEBHOOK_URL: `https://localhost:${port}/entitlement`,
    ENTITLEMENT_WEBHOOK_CA: caFile,
  }
  const { ask } = await startEntitled(t, { settings, now: Date.now })
  t.match(await ask({ customerCookie: 'viewer-4711' }), { error: 1101 }, 'a yes, of a content that nobody knows')
  t.match(await ask({ customerCookie: 'viewer-4712' }), {
    error: 1106,
    errorText: 'The customer does not allow it: There is no subscription.',
  })

  const pool = new Pool(`https://localhost:${port}`, { connect: { ca: authority.cert } })
  t.teardown(() => pool.destroy())
  const question = () => JSON.stringify({ requestID: randomUUID(), contentID: CONTENT, requestType: 1 })
  const signed = (body: string, secret = SECRET, age = 0) => {
    const seconds = Math.floor(Date.now() / 1000) - age
    return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`
  }
  const asked = async (body: string, signature: string | undefined) => {
    const headers = signature === undefined ? {} : { 'x-entitlement-signature': signature }
    const request: Dispatcher.RequestOptions = { method: 'POST', path: '/', headers, body }
    const answer = await pool.request(request)
    await answer.body.dump()
    return answer.statusCode
  }
  const body = question()
  t.equal(await asked(body, signed(body)), 200)
  t.equal(await asked(body, signed(body)), 403, 'the same once more')
  const fresh = question()
  t.equal(await asked(fresh, undefined), 403, 'no signature')
  t.equal(await asked(fresh, ''), 403, 'an empty one')
  t.equal(await asked(fresh, signed(fresh, `${SECRET}x`)), 403, 'another secret')
  t.equal(await asked(question(), signed(fresh)), 403, 'that of another question')
  t.equal(await asked(fresh, signed(fresh, SECRET, 310)), 403, 'too old')
  t.equal(await asked(fresh, signed(fresh, SECRET, -310)), 403, 'of the future')
  t.equal(await asked(fresh, `${signed(fresh)}00`), 403, 'too long')
  t.equal(await asked(`{"a":"${'x'.repeat(5000)}"}`, signed(fresh)), 403, 'too large')
  t.equal(await asked(fresh, signed(fresh, SECRET, 200)), 200, 'old, but not too old')
})

t.test('the tables and examples of the page are those of the schema', async t => {
  const answer = /## The answer\n(.*?)\n## /s.exec(page)?.[1] ?? ''
  const documented = [...answer.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
  t.same(documented, Object.keys(webhookAnswer.shape))
  for (const [, json = ''] of page.matchAll(/```json\n(.*?)```/gs))
    t.ok(webhookAnswer.safeParse(JSON.parse(json)).success, json)
})

/** The page's own program, run as a reader would run it. */
async function startDocumented(t: Test, authority: TestAuthority) {
  const [, program = ''] = /```js\n(.*?)```/s.exec(page) ?? []
  const { cert, key } = await authority.issue({ usage: 'server' })
  const files = { 'webhook.mjs': program, 'cert.pem': cert, 'key.pem': key, 'ca.pem': authority.cert }
  const folder = t.testdir(files)
  const env = { TLS_CERT: 'cert.pem', TLS_KEY: 'key.pem', WEBHOOK_SECRET: SECRET, PORT: '0' }
  const child = spawn(process.execPath, ['webhook.mjs'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string] // its first line
  const [, port] = /^listening on (\d+)$/m.exec(line) ?? []
  if (port === undefined) throw new Error(`it printed ${line}`)
  return { port, caFile: join(folder, 'ca.pem') }
}
