import t from 'tap'
import type { PsshAnswer } from '../../schemas/pssh.js'
import { CONTENT_KEY, startTestServer } from '../harness.js'
import { runCommand } from '../process.js'

const KID = 'b366360da82e9c6e0b0984002a362cf2'

t.test('pssh prints what a server answers', async t => {
  t.testdir()
  const server = await startTestServer(t)
  const run = await runCommand(t, ['pssh', `${KID}:${CONTENT_KEY}`, '^a:b'], { PORT: new URL(server.url).port })
  t.match(run, { code: 0, stderr: '' })
  const answer = await fetch(`${server.url}/tools/pssh`, {
    method: 'POST',
    body: JSON.stringify({ keys: [{ kid: KID, contentKey: CONTENT_KEY }, { kid: '^a:b' }] }),
    headers: { 'content-type': 'application/json' },
  })
  t.same(JSON.parse(run.stdout), await answer.json())
})

t.test('pssh takes the scheme and the URLs, and prints the elements alone', async t => {
  t.testdir()
  const urls = ['--license-url', 'https://pr.example.com/rm.asmx', '--clear-key-url', 'https://ck.example.com/']
  const given = await runCommand(t, ['pssh', '-s', 'cbcs', KID, ...urls])
  const { scheme, licenseAcquisitionUrl, clearKeyUrl } = JSON.parse(given.stdout) as PsshAnswer // checked below
  t.same(
    [scheme, licenseAcquisitionUrl, clearKeyUrl],
    ['cbcs', 'https://pr.example.com/rm.asmx', 'https://ck.example.com/'],
  )

  const { stdout } = await runCommand(t, ['pssh', '--mpd', '^video', '^audio'], { PORT: '8081' })
  t.equal(stdout.match(/^<ContentProtection .*>$/gm)?.length, 8)
  t.match(stdout, '<dashif:Laurl>http://127.0.0.1:8081/hms/ck/rights/</dashif:Laurl>')
  const behind = await runCommand(t, ['pssh', '--mpd', KID], { PUBLIC_URL: 'https://drm.example.com/play' })
  t.match(behind.stdout, '<dashif:Laurl>https://drm.example.com/play/hms/ck/rights/</dashif:Laurl>')
  for (const [option, PUBLIC_URL] of [
    ['--https', 'http://drm.example.com'],
    ['--http', 'https://drm.example.com'],
  ] as const) {
    const { stdout } = await runCommand(t, ['pssh', '--mpd', option, KID], { PUBLIC_URL })
    t.match(stdout, `<dashif:Laurl>${option.slice(2)}://drm.example.com/hms/ck/rights/</dashif:Laurl>`)
  }
})

t.test('pssh names provider and content id, and prints the lines of HLS alone', async t => {
  t.testdir()
  const named = ['--provider', 'intertrust', '--content-id', 'movie-4711']
  const whole = await runCommand(t, ['pssh', ...named, KID])
  const [key] = (JSON.parse(whole.stdout) as PsshAnswer).keys // checked below
  t.match(Buffer.from(key?.widevine.data ?? '', 'base64').toString('latin1'), /intertrust.*movie-4711/s)

  const lines = (await runCommand(t, ['pssh', '--hls', '-s', 'cbcs', ...named, '^video', KID])).stdout.split('\n')
  t.equal(lines.filter(line => line.startsWith('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="')).length, 8)
  t.equal(lines.filter(line => line.includes(`URI="skd://${KID}"`)).length, 1)
  t.match(await runCommand(t, ['pssh', '--hls', '--mpd', KID]), { code: 1, stderr: /cannot be used with option/ })
})

t.test('pssh says what is wrong', async t => {
  t.testdir()
  const wrong = await runCommand(t, ['pssh', KID, 'b366', '--scheme', 'cens'])
  t.match(wrong, { code: 1, stdout: '', stderr: /scheme must be cenc or cbcs; keys\[1\]\.kid must be 32 hexadecimal/ })
  t.match(await runCommand(t, ['pssh']), { code: 1, stderr: /missing required argument/ })
  t.match(await runCommand(t, ['pssh', '--help']), { code: 0, stdout: /Examples:\n {2}\$ expressplay-token-backend/ })
})
