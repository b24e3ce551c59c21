import { type PsshAnswer, readPsshRequest } from '../../schemas/pssh.js'
import { readConfig } from '../config/config.js'
import { environmentSettings } from '../config/environment-settings.js'
import { clearKeyUrl, licenceUrl } from '../drm/licence-urls.js'
import { playready } from '../drm/playready-family.js'
import { protectionOf } from '../pssh/protection.js'
import { type CommandContext, localUrl } from './command-context.js'

export interface PsshOptions {
  readonly scheme?: string
  readonly licenseUrl?: string
  readonly clearKeyUrl?: string
  readonly https?: true
  readonly http?: true
  readonly mpd?: true
}

/** Prints what signals the protection of content with these keys. The exit code: 0 printed, 1 refused. */
export function printPssh(keys: readonly string[], options: PsshOptions, { env, stdout }: CommandContext): number {
  const asked = readPsshRequest({
    scheme: options.scheme,
    keys: keys.map(keyOf),
    licenseAcquisitionUrl: options.licenseUrl,
    clearKeyUrl: options.clearKeyUrl,
    useHttps: options.https ?? (options.http === undefined ? undefined : false),
  })
  const { PUBLIC_URL } = readConfig(environmentSettings(env))
  const { host } = new URL(localUrl(env))
  const url = licenceUrl(playready, PUBLIC_URL, { useHttps: asked.useHttps, host, isSecure: false })
  const answer = protectionOf(asked, { playready: url, clearKey: clearKeyUrl(playready, url) })
  stdout.write(`${options.mpd ? elementsOf(answer) : JSON.stringify(answer, null, 2)}\n`)
  return 0
}

/** `kid`, or `kid:contentKey`; a `^string` may have colons of its own. */
function keyOf(text: string): { kid: string; contentKey?: string } {
  const [, kid, contentKey] = /^(.+):([0-9A-Fa-f]{32})$/s.exec(text) ?? []
  return kid === undefined || contentKey === undefined ? { kid: text } : { kid, contentKey }
}

/** Those of each AdaptationSet together. */
function elementsOf({ keys }: PsshAnswer): string {
  return keys.map(({ contentProtection }) => contentProtection.join('\n')).join('\n\n')
}
