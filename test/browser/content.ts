import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const CLIP = 'test/browser/clip.mp4'
const PLATFORMS: Readonly<Record<string, string>> = { darwin: 'osx', win32: 'win' }
const PACKAGER = join(
  dirname(createRequire(import.meta.url).resolve('shaka-packager/package.json')),
  `bin/packager-${PLATFORMS[process.platform] ?? process.platform}-${process.arch}${process.platform === 'win32' ? '.exe' : ''}`,
)

export const SCHEMES = ['cenc', 'cbcs'] as const
export type Scheme = (typeof SCHEMES)[number]

export interface ContentKey {
  readonly kid: string
  readonly contentKey: string
}

export function randomContentKey(): ContentKey {
  return { kid: randomBytes(16).toString('hex'), contentKey: randomBytes(16).toString('hex') }
}

/** Encrypts the clip, all of it, and writes it with its manifest into a folder. */
export async function encryptClip(
  directory: string,
  scheme: Scheme,
  keys: { readonly video: ContentKey; readonly audio: ContentKey },
): Promise<void> {
  await mkdir(directory, { recursive: true })
  const manifest = join(directory, 'manifest.mpd')
  const streams = (['video', 'audio'] as const).map(
    stream => `in=${CLIP},stream=${stream},output=${join(directory, stream)}.mp4,drm_label=${stream}`,
  )
  const labelled = Object.entries(keys).map(
    ([label, { kid, contentKey }]) => `label=${label}:key_id=${kid}:key=${contentKey}`,
  )
  const encryption = ['--enable_raw_key_encryption', '--protection_scheme', scheme, '--keys', labelled.join(',')]
  await run(PACKAGER, [...streams, ...encryption, '--clear_lead', '0', '--mpd_output', manifest])
  await writeFile(manifest, withClearKeyElement(await readFile(manifest, 'utf8')))
}

/** dash.js throws at the common system's pssh in a manifest; DASH-IF's element for Clear Key is what both take. */
function withClearKeyElement(manifest: string): string {
  return manifest.replaceAll(
    /<ContentProtection schemeIdUri="urn:uuid:1077efec.*?<\/ContentProtection>/gs,
    '<ContentProtection schemeIdUri="urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e" value="ClearKey1.0"/>',
  )
}
