import { type PsshAnswer, readPsshRequest } from '../../schemas/pssh.js'
import { readConfig } from '../config/config.js'
import { environmentSettings } from '../config/environment-settings.js'
import { playerLicenceUrls } from '../drm/player-licence-urls.js'
import { protectionOf } from '../pssh/protection.js'
import { type CommandContext, localUrl } from './command-context.js'

export interface PsshOptions {
  readonly scheme?: string
  readonly licenseUrl?: string
  readonly clearKeyUrl?: string
  readonly https?: true
  readonly http?: true
  readonly mpd?: true
  readonly hls?: true
  readonly provider?: string
  readonly contentId?: string
}

/** Prints what signals the protection of content with these keys. The exit code: 0 printed, 1 refused. */
export function printPssh(keys: readonly string[], options: PsshOptions, { env, stdout }: CommandContext): number {
  const asked = readPsshRequest({
    scheme: options.scheme,
    keys: keys.map(keyOf),
    licenseAcquisitionUrl: options.licenseUrl,
    clearKeyUrl: options.clearKeyUrl,
    provider: options.provider,
    contentId: options.contentId,
    useHttps: options.https ?? (options.http === undefined ? undefined : false),
  })
  const { PUBLIC_URL } = readConfig(environmentSettings(env))
  const { host } = new URL(localUrl(env))
  const urls = playerLicenceUrls(
    { publicUrl: PUBLIC_URL, ports: {} },
    { useHttps: asked.useHttps, host, isSecure: false },
  )
  stdout.write(`${shown(protectionOf(asked, urls), options)}\n`)
  return 0
}

/** `kid`, or `kid:contentKey`; a `^string` may have colons of its own. */
function keyOf(text: string): { kid: string; contentKey?: string } {
  const [, kid, contentKey] = /^(.+):([0-9A-Fa-f]{32})$/s.exec(text) ?? []
  return kid === undefined || contentKey === undefined ? { kid: text } : { kid, contentKey }
}

/** The whole answer, or the lines of each key together. */
function shown(answer: PsshAnswer, { mpd, hls }: PsshOptions): string {
  if (mpd) return groups(answer.keys.map(({ contentProtection }) => contentProtection))
  if (hls) return groups(answer.keys.map(({ hls }) => hls.key))
  return JSON.stringify(answer, null, 2)
}

function groups(lines: readonly (readonly string[])[]): string {
  return lines.map(group => group.join('\n')).join('\n\n')
}
