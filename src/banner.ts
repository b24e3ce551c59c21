import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { demoAccount } from './accounts/demo-account.js'
import { table } from './commands/text-table.js'
import type { Config } from './config/config.js'
import type { UpstreamSettings } from './config/settings-upstream.js'
import { ENVIRONMENTS } from './ground/environment.js'
import { packageVersion } from './ground/own-package.js'
import { LOOPBACK_ADDRESS } from './http/admin-access.js'
import { sampleParameters } from './sample.js'
import type { StartedServer } from './server.js'

/** What a start shows to people: what this server is, where it is reached, and a command that works when pasted. */
export function banner(config: Config, server: StartedServer): string {
  const parts = [`ExpressPlay token backend ${packageVersion()}`, indented(table(factsOf(config, server)))]
  if (config.MODE === 'emulate' && server.openDemo.includes(config.ENVIRONMENT))
    parts.push('Get a token:', indented(sampleCurl(server, config)))
  if (publicDemoAddresses(server).length > 0) parts.push(demoWarning(server))
  return `\n${indented(parts.join('\n\n'))}\n\n`
}

/** Where the demo account, whose authenticators everybody can read, is open to other machines. */
export function publicDemoAddresses({ openDemo, addresses }: StartedServer): readonly string[] {
  if (openDemo.length === 0) return []
  return addresses.filter(({ address }) => !LOOPBACK_ADDRESS.test(address)).map(socketText)
}

/** `127.0.0.1:8080`, `[::1]:8080` */
export function socketText({ address, port }: AddressInfo): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`
}

const MODES = {
  emulate: 'emulate: tokens are made here',
  gateway: 'gateway: tokens come from the upstream',
  replay: 'replay: tokens are those that were recorded',
} as const satisfies Record<Config['MODE'], string>

function factsOf(config: Config, server: StartedServer): string[][] {
  const url = reachable(server)
  const { RECORD_DIR } = config
  return [
    ['mode', MODES[config.MODE]],
    ...server.addresses.map(address => ['listening on', `http://${socketText(address)}${scopeOf(address)}`]),
    ...server.tlsAddresses.map(address => ['with TLS', `https://${socketText(address)}${scopeOf(address)}`]),
    ...server.proxyAddresses.map(address => ['proxy', `http://${socketText(address)}${scopeOf(address)}`]),
    ...server.entitlementAddresses.map(address => ['entitlement', entitlementText(address, server, config)]),
    ['player', `${url}/player`],
    ['documentation', `${url}/docs`],
    ['database', databaseText(config.DATABASE_URL)],
    ['accounts', String(server.accounts)],
    ...(config.MODE === 'gateway' ? upstreamFacts(config.upstream) : []),
    ...(RECORD_DIR === undefined ? [] : [['recordings', resolve(RECORD_DIR)]]),
    ...server.openDemo.map(environment => [`demo, ${environment}`, demoAccount.authenticators[environment]]),
  ]
}

/** Every host that is asked, once. */
function upstreamFacts({ tokens, licences, records }: UpstreamSettings): string[][] {
  return ENVIRONMENTS.map(environment => {
    const urls = [...tokens[environment].values(), ...licences[environment].values(), records[environment]]
    return [`upstream, ${environment}`, [...new Set(urls.map(url => url.host))].join(', ')]
  })
}

function entitlementText(address: AddressInfo, { entitlementUrl }: StartedServer, { entitlement }: Config): string {
  const clients = entitlement?.authentication.kind === 'proxy' ? ' from its proxies' : ''
  return `${new URL(entitlementUrl ?? '').protocol}//${socketText(address)}/entitlement${clients}${scopeOf(address)}`
}

function scopeOf({ address }: AddressInfo): string {
  return address === '0.0.0.0' || address === '::' ? ' (all interfaces)' : ''
}

/** Without what may be a secret: a password, or parameters. */
function databaseText(url: string): string {
  if (url === 'memory:') return 'in memory, gone with this process'
  if (url.startsWith('sqlite:')) return `SQLite, ${resolve(url.slice('sqlite:'.length))}`
  const { host, pathname, searchParams } = new URL(url)
  return `PostgreSQL, ${host || (searchParams.get('host') ?? '')}${pathname}`
}

function sampleCurl(server: StartedServer, { ENVIRONMENT }: Config): string {
  const parameters = { ...sampleParameters, customerAuthenticator: demoAccount.authenticators[ENVIRONMENT] }
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${value}`)
  return `curl '${reachable(server)}/hms/pr/token?${query.join('&')}'`
}

function demoWarning(server: StartedServer): string {
  return [
    `WARNING: other machines may reach ${publicDemoAddresses(server).join(', ')}, and the demo account is public.`,
    'Listen on 127.0.0.1 only (HOST), or disable the account:',
    `expressplay-token-backend accounts change ${demoAccount.id} --enabled no`,
  ].join('\n')
}

/** No client connects to the address that stands for all of them. */
function reachable({ url }: StartedServer): string {
  return url.replace('//[::]:', '//[::1]:')
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}
