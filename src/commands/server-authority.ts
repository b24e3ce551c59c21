import { join } from 'node:path'
import { pemCertificates } from '../certificates/certificate-files.js'
import { localAuthority } from '../certificates/local-certificates.js'
import { type Config, readConfig } from '../config/config.js'
import { environmentSettings } from '../config/environment-settings.js'
import { addressedUrl } from './command-context.js'
import { causeOfFetch, NoAnswer } from './no-answer.js'

const TIMEOUT_MS = 10_000

export interface ServerAuthority {
  /** In PEM. */
  readonly ca: string
  /** Where what clients need may be written; `undefined` if these settings allow no files. */
  readonly folder: string | undefined
}

/**
 * The authority of a server: of the one at this URL, or of the one that these settings would start, whose authority is in
 * the data directory and made if there is none.
 */
export async function serverAuthority(url: string | undefined, env: NodeJS.ProcessEnv): Promise<ServerAuthority> {
  const { DATA_DIR, HOST, PORT } = clientConfig(env)
  const folder = DATA_DIR === '' ? undefined : join(DATA_DIR, 'tls', 'clients')
  if (url === undefined && folder !== undefined) return { ca: await localAuthority(DATA_DIR), folder }
  return { ca: await askedAuthority(url ?? addressedUrl(HOST, PORT)), folder }
}

/**
 * The settings that say where a server is. The others are not looked at: in the environment of a program under test they
 * may be that program's own, such as a DATABASE_URL of another kind.
 */
export function clientConfig(env: NodeJS.ProcessEnv): Config {
  const { HOST, PORT, PROXY_HOST, PROXY_PORT, DATA_DIR } = environmentSettings({ ...env })
  return readConfig({ HOST, PORT, PROXY_HOST, PROXY_PORT, DATA_DIR })
}

async function askedAuthority(server: string): Promise<string> {
  const origin = URL.canParse(server) ? new URL(server).origin : 'this URL'
  const { status, text } = await answerOf(server).catch(error => {
    throw new NoAnswer(origin, causeOfFetch(error))
  })
  if (status === 200 && pemCertificates(text).length > 0) return text
  if (status === 404) throw new NoAnswer(origin, 'it has no authority of its own (PROXY_PORT or TLS=development)')
  throw new NoAnswer(origin, `${status}, which is not that of this service`)
}

async function answerOf(server: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(new URL(`${server.replace(/\/+$/, '')}/admin/api/ca.pem`), {
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  return { status: answer.status, text: await answer.text() }
}
