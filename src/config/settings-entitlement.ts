import * as z from 'zod'
import { fileOf, groupMeta, settingMeta } from './setting.js'
import {
  clientNames,
  headerName,
  httpsUrl,
  jsonFile,
  pemFile,
  proxies,
  sharedSecret,
  wholeNumber,
} from './setting-rules.js'

export const entitlementGroup = z
  .object({
    ENTITLEMENT_PORT: wholeNumber(0, 65535).optional().register(settingMeta, {
      description:
        'The port of `POST /entitlement`, on `HOST`; 0 takes a free one. Without it there is no entitlement service.',
      example: '8443',
    }),
    ENTITLEMENT_TLS_CERT: pemFile.optional().register(settingMeta, {
      description:
        "The server's certificate, followed by the intermediate ones. Required with `ENTITLEMENT_PORT`, unless a proxy ends TLS. This file and the next two are read again when they change.",
      example: 'certs/server.pem',
    }),
    ENTITLEMENT_TLS_KEY: pemFile.optional().register(settingMeta, {
      description: 'The key of that certificate.',
      example: 'certs/server.key.pem',
    }),
    ENTITLEMENT_CLIENT_CA: pemFile.optional().register(settingMeta, {
      description: 'The authorities of client certificates. Required with `ENTITLEMENT_PORT`.',
      example: 'certs/ca.pem',
    }),
    ENTITLEMENT_CLIENTS: clientNames.optional().register(settingMeta, {
      description: 'The clients of those authorities that may ask. Without it, all of them.',
      example: 'CN=licence-server;DNS:player.example.com',
    }),
    ENTITLEMENT_PROXIES: proxies.optional().register(settingMeta, {
      description: 'Proxies that end TLS: the port speaks plain HTTP, and to these addresses only.',
      example: '10.0.0.7',
    }),
    ENTITLEMENT_PROXY_HEADER: headerName.default('Client-Cert').register(settingMeta, {
      description: "The header in which such a proxy sends the client's certificate.",
      example: 'X-Client-Cert',
    }),
    ENTITLEMENT_ACCOUNT: wholeNumber(1, 0xffffffff).optional().register(settingMeta, {
      description:
        'The account whose tokens are issued, in the environment that `ENVIRONMENT` names. Required where there is more than one.',
      example: '201722',
    }),
    CATALOGUE_FILE: jsonFile.optional().register(settingMeta, {
      description: 'The file with [contents and who may have them](catalogue.md). It is read again when it changes.',
      example: 'catalogue.json',
    }),
  })
  .register(groupMeta, { title: 'The entitlement service' })

export const webhookGroup = z
  .object({
    ENTITLEMENT_WEBHOOK_URL: httpsUrl.optional().register(settingMeta, {
      description: "The customer's own endpoint, which [is asked](webhook.md) whether a viewer may have a key.",
      example: 'https://shop.example.com/entitlement',
      isSecret: true,
    }),
    ENTITLEMENT_WEBHOOK_URL_FILE: fileOf('ENTITLEMENT_WEBHOOK_URL'),
    ENTITLEMENT_WEBHOOK_SECRET: sharedSecret.optional().register(settingMeta, {
      description: 'Signs the questions; `openssl rand -hex 32` makes one. Required with `ENTITLEMENT_WEBHOOK_URL`.',
      example: 'a-secret-of-your-own',
      isSecret: true,
    }),
    ENTITLEMENT_WEBHOOK_SECRET_FILE: fileOf('ENTITLEMENT_WEBHOOK_SECRET'),
    ENTITLEMENT_WEBHOOK_TIMEOUT: wholeNumber(1, 60_000).default(2000).register(settingMeta, {
      description: 'Milliseconds that an answer may take; after that the viewer is refused.',
      example: '1000',
    }),
    ENTITLEMENT_WEBHOOK_CACHE: wholeNumber(0, 86_400).default(0).register(settingMeta, {
      description: 'Seconds that an answer holds which does not say so itself; 0: for one request.',
      example: '60',
    }),
    ENTITLEMENT_WEBHOOK_CA: pemFile.optional().register(settingMeta, {
      description: "The authorities of the endpoint's certificate. Without it, those of the system.",
      example: 'shop-ca.pem',
    }),
  })
  .register(groupMeta, { title: 'The webhook of the entitlement service' })

/** The entitlement service: its port, its clients, and how it decides. */
export interface EntitlementSettings {
  readonly port: number
  readonly authentication: AuthenticationSettings
  /** Subjects and alternative names of allowed clients; if empty, every client of the authority. */
  readonly clients: readonly string[]
  /** The customer whose tokens are given out; without it the only one there is. */
  readonly customerId: number | undefined
  readonly catalogueFile: string | undefined
  readonly webhook: WebhookSettings | undefined
}

/** Mutual TLS, or plain HTTP from a trusted proxy that terminates it. */
export type AuthenticationSettings = MutualTlsSettings | TrustedProxySettings

export interface MutualTlsSettings {
  readonly kind: 'tls'
  readonly certFile: string
  readonly keyFile: string
  readonly clientCaFile: string
}

export interface TrustedProxySettings {
  readonly kind: 'proxy'
  /** The addresses or networks that it comes from. */
  readonly proxies: readonly string[]
  /** The header with the client's certificate, in lower case. */
  readonly header: string
  readonly clientCaFile: string
}

export interface WebhookSettings {
  readonly url: URL
  readonly secret: string
  /** Milliseconds. */
  readonly timeout: number
  /** How many seconds an answer holds when it does not say itself; 0: for one request. */
  readonly cacheSeconds: number
  /** Instead of the system's authorities. */
  readonly caFile: string | undefined
}

type Given = z.output<typeof entitlementGroup> & z.output<typeof webhookGroup>

/** The service, where it has a port. What is wrong is added to `faults`. */
export function readEntitlement(given: Given, faults: string[]): EntitlementSettings | undefined {
  if (given.ENTITLEMENT_PORT === undefined) return undefined
  const authentication = authenticationOf(given, faults)
  const webhook = webhookOf(given, faults)
  if (authentication === undefined) return undefined
  return {
    port: given.ENTITLEMENT_PORT,
    authentication,
    clients: given.ENTITLEMENT_CLIENTS ?? [],
    customerId: given.ENTITLEMENT_ACCOUNT,
    catalogueFile: given.CATALOGUE_FILE,
    webhook,
  }
}

function authenticationOf(given: Given, faults: string[]): AuthenticationSettings | undefined {
  const need = (name: 'ENTITLEMENT_TLS_CERT' | 'ENTITLEMENT_TLS_KEY' | 'ENTITLEMENT_CLIENT_CA'): string => {
    const path = given[name]
    if (path === undefined) faults.push(`${name} must be given with ENTITLEMENT_PORT`)
    return path ?? ''
  }
  const clientCaFile = need('ENTITLEMENT_CLIENT_CA')
  if (given.ENTITLEMENT_PROXIES === undefined)
    return { kind: 'tls', certFile: need('ENTITLEMENT_TLS_CERT'), keyFile: need('ENTITLEMENT_TLS_KEY'), clientCaFile }
  for (const name of ['ENTITLEMENT_TLS_CERT', 'ENTITLEMENT_TLS_KEY'] as const)
    if (given[name] !== undefined)
      faults.push(`${name} has no use with ENTITLEMENT_PROXIES: the proxy ends TLS, and this port speaks plain HTTP`)
  return {
    kind: 'proxy',
    proxies: given.ENTITLEMENT_PROXIES,
    header: given.ENTITLEMENT_PROXY_HEADER.toLowerCase(),
    clientCaFile,
  }
}

function webhookOf(given: Given, faults: string[]): WebhookSettings | undefined {
  const { ENTITLEMENT_WEBHOOK_URL: url, ENTITLEMENT_WEBHOOK_SECRET: secret } = given
  if (url === undefined) return undefined
  if (secret === undefined) faults.push('ENTITLEMENT_WEBHOOK_SECRET must be given with ENTITLEMENT_WEBHOOK_URL')
  return {
    url,
    secret: secret ?? '',
    timeout: given.ENTITLEMENT_WEBHOOK_TIMEOUT,
    cacheSeconds: given.ENTITLEMENT_WEBHOOK_CACHE,
    caFile: given.ENTITLEMENT_WEBHOOK_CA,
  }
}
