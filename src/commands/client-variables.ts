import { delimiter } from 'node:path'
import type { TrustFiles } from '../certificates/trust-files.js'
import { realHosts } from '../ground/real-hosts.js'

export const PROGRAMS = ['node', 'python', 'java', 'php', 'go', 'ruby', 'curl'] as const
export type Program = (typeof PROGRAMS)[number]

export interface ClientSettings {
  /** Without one the names have to lead to the server. */
  readonly proxyUrl: string | undefined
  readonly files: TrustFiles
  /** The environment that the variables are for: some of them add to what is there. */
  readonly env: NodeJS.ProcessEnv
}

type Variables = Readonly<Record<string, string>>

/** What makes existing programs reach the server under the names of the real service, and trust it. */
export function clientVariables(programs: readonly Program[], settings: ClientSettings): Variables {
  return Object.assign(proxyVariables(settings), ...programs.map(program => OWN_VARIABLES[program](settings)))
}

/** In both cases: some programs read but one. */
function proxyVariables({ proxyUrl: proxy, env }: ClientSettings): Variables {
  if (proxy === undefined) return {}
  const direct = directHosts(new URL(proxy).hostname, env.NO_PROXY ?? env.no_proxy ?? '').join(',')
  return {
    ...{ HTTPS_PROXY: proxy, https_proxy: proxy },
    ...{ HTTP_PROXY: proxy, http_proxy: proxy },
    ...{ NO_PROXY: direct, no_proxy: direct },
  }
}

/** This machine, the server's own, and the hosts that were reached without a proxy before, except the real service's. */
function directHosts(server: string, former: string): readonly string[] {
  const hosts = former.split(/[\s,]+/).filter(host => host !== '' && !isForReal(host))
  return [...new Set(['localhost', '127.0.0.1', '::1', server, ...hosts])]
}

/** `*`, `.expressplay.com` and the like. */
function isForReal(pattern: string): boolean {
  const ending = pattern
    .toLowerCase()
    .replace(/^\*?\.?/, '')
    .replace(/:\d+$/, '')
  return realHosts().some(host => host.endsWith(ending))
}

const OWN_VARIABLES: Readonly<Record<Program, (settings: ClientSettings) => Variables>> = {
  node: ({ files, proxyUrl }) => ({
    NODE_EXTRA_CA_CERTS: files.ca,
    ...(proxyUrl !== undefined && { NODE_USE_ENV_PROXY: '1' }),
  }),
  python: ({ files }) => ({ SSL_CERT_FILE: files.bundle, REQUESTS_CA_BUNDLE: files.bundle }),
  java: settings => ({ JAVA_TOOL_OPTIONS: javaOptions(settings) }),
  php: ({ files, env }) => ({ PHP_INI_SCAN_DIR: phpFolders(files.php, env.PHP_INI_SCAN_DIR ?? '') }),
  go: ({ files }) => ({ SSL_CERT_FILE: files.bundle }),
  ruby: ({ files }) => ({ SSL_CERT_FILE: files.bundle }),
  curl: ({ files }) => ({ CURL_CA_BUNDLE: files.bundle }),
}

/** Java reads no other variable, so the options of the user stay, but for those that these replace. */
function javaOptions({ files, proxyUrl, env }: ClientSettings): string {
  const proxy = proxyUrl === undefined ? undefined : new URL(proxyUrl)
  const properties = {
    'javax.net.ssl.trustStore': files.store,
    'javax.net.ssl.trustStoreType': 'PKCS12',
    ...(proxy !== undefined && {
      'https.proxyHost': proxy.hostname,
      'https.proxyPort': proxy.port,
      'http.proxyHost': proxy.hostname,
      'http.proxyPort': proxy.port,
    }),
  }
  const former = (env.JAVA_TOOL_OPTIONS ?? '').match(JAVA_OPTION) ?? []
  const ours = Object.entries(properties).map(([name, value]) => ({ start: `-D${name}=`, value }))
  const others = former.filter(option => !ours.some(({ start }) => option.replace(/^["']/, '').startsWith(start)))
  return [...others, ...ours.map(({ start, value }) => quotedForJava(start + value))].join(' ')
}

const JAVA_OPTION = /(?:[^\s"']|"[^"]*"|'[^']*')+/g

function quotedForJava(option: string): string {
  return /\s/.test(option) ? `"${option}"` : option
}

/** An empty folder in the list stands for PHP's own. */
function phpFolders(folder: string, former: string): string {
  const others = former.split(delimiter).filter(other => other !== folder)
  return [...others, folder].join(delimiter)
}

export const SHELLS = ['sh', 'fish', 'powershell'] as const
export type Shell = (typeof SHELLS)[number]

const ASSIGNMENTS: Readonly<Record<Shell, (name: string, value: string) => string>> = {
  sh: (name, value) => `export ${name}='${value.replaceAll("'", "'\\''")}'`,
  fish: (name, value) => `set -gx ${name} '${value.replace(/[\\']/g, '\\$&')}'`,
  powershell: (name, value) => `$env:${name} = '${value.replaceAll("'", "''")}'`,
}

/** The variables as this shell reads them, a line for each. */
export function shellText(shell: Shell, variables: Variables): string {
  const assignment = ASSIGNMENTS[shell]
  return Object.entries(variables)
    .map(([name, value]) => `${assignment(name, value)}\n`)
    .join('')
}
