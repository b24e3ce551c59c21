/** The entitlement service: where it listens, whom it lets in, and what it goes by. */
export interface EntitlementSettings {
  readonly port: number
  readonly door: Door
  /** Subjects and alternative names of those who may ask; every client of the authority when there is none. */
  readonly clients: readonly string[]
  /** The customer whose tokens are given out; without it the only one there is. */
  readonly customerId: number | undefined
  readonly catalogueFile: string | undefined
  readonly webhook: WebhookSettings | undefined
}

/** Mutual TLS of its own, or plain HTTP from a proxy that has ended it. */
export type Door = TlsDoor | ProxyDoor

export interface TlsDoor {
  readonly kind: 'tls'
  readonly certFile: string
  readonly keyFile: string
  readonly clientCaFile: string
}

export interface ProxyDoor {
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

/** Somebody else's entitlement service, which our licence endpoints ask before they grant. */
export interface AskedEntitlement {
  readonly url: URL
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  readonly caFile: string | undefined
  /** Milliseconds. */
  readonly timeout: number
  /** Whether a key request that brings a token is asked about as well. */
  readonly when: 'always' | 'without-token'
}

interface Given {
  readonly MODE: string
  readonly ENTITLEMENT_PORT?: number | undefined
  readonly ENTITLEMENT_TLS_CERT?: string | undefined
  readonly ENTITLEMENT_TLS_KEY?: string | undefined
  readonly ENTITLEMENT_CLIENT_CA?: string | undefined
  readonly ENTITLEMENT_CLIENTS?: string[] | undefined
  readonly ENTITLEMENT_PROXIES?: string[] | undefined
  readonly ENTITLEMENT_PROXY_HEADER: string
  readonly ENTITLEMENT_ACCOUNT?: number | undefined
  readonly CATALOGUE_FILE?: string | undefined
  readonly ENTITLEMENT_WEBHOOK_URL?: URL | undefined
  readonly ENTITLEMENT_WEBHOOK_SECRET?: string | undefined
  readonly ENTITLEMENT_WEBHOOK_TIMEOUT: number
  readonly ENTITLEMENT_WEBHOOK_CACHE: number
  readonly ENTITLEMENT_WEBHOOK_CA?: string | undefined
  readonly ENTITLEMENT_URL?: URL | undefined
  readonly ENTITLEMENT_URL_CERT?: string | undefined
  readonly ENTITLEMENT_URL_KEY?: string | undefined
  readonly ENTITLEMENT_URL_CA?: string | undefined
  readonly ENTITLEMENT_URL_TIMEOUT: number
  readonly ENTITLEMENT_URL_WHEN: 'always' | 'without-token'
}

/** What is there when it is asked for, and every fault of it otherwise. */
export interface ReadEntitlement {
  readonly entitlement?: EntitlementSettings | undefined
  readonly askedEntitlement?: AskedEntitlement | undefined
  readonly faults: readonly string[]
}

export function entitlementSettings(given: Given): ReadEntitlement {
  const faults = settingsWithoutPartner(given)
  const entitlement = served(given, faults)
  const askedEntitlement = asked(given, faults)
  return { entitlement, askedEntitlement, faults }
}

/** Settings that do nothing without another one: whoever sets them believes that they guard something. */
const PARTNERS = {
  ENTITLEMENT_PORT: [
    ...['ENTITLEMENT_TLS_CERT', 'ENTITLEMENT_TLS_KEY', 'ENTITLEMENT_CLIENT_CA', 'ENTITLEMENT_CLIENTS'],
    ...['ENTITLEMENT_PROXIES', 'ENTITLEMENT_ACCOUNT', 'CATALOGUE_FILE', 'ENTITLEMENT_WEBHOOK_URL'],
  ],
  ENTITLEMENT_WEBHOOK_URL: ['ENTITLEMENT_WEBHOOK_SECRET', 'ENTITLEMENT_WEBHOOK_CA'],
  ENTITLEMENT_URL: ['ENTITLEMENT_URL_CERT', 'ENTITLEMENT_URL_KEY', 'ENTITLEMENT_URL_CA'],
} as const

function settingsWithoutPartner(given: Given): string[] {
  return Object.entries(PARTNERS).flatMap(([partner, names]) =>
    given[partner as keyof typeof PARTNERS] !== undefined // the table's own keys
      ? []
      : names.filter(name => given[name] !== undefined).map(name => `${name} has no use without ${partner}`),
  )
}

function served(given: Given, faults: string[]): EntitlementSettings | undefined {
  if (given.ENTITLEMENT_PORT === undefined) return undefined
  const door = doorOf(given, faults)
  const webhook = webhookOf(given, faults)
  if (door === undefined) return undefined
  return {
    port: given.ENTITLEMENT_PORT,
    door,
    clients: given.ENTITLEMENT_CLIENTS ?? [],
    customerId: given.ENTITLEMENT_ACCOUNT,
    catalogueFile: given.CATALOGUE_FILE,
    webhook,
  }
}

function doorOf(given: Given, faults: string[]): Door | undefined {
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
  if (url.protocol !== 'https:') faults.push('ENTITLEMENT_WEBHOOK_URL must be an https URL')
  if (secret === undefined) faults.push('ENTITLEMENT_WEBHOOK_SECRET must be given with ENTITLEMENT_WEBHOOK_URL')
  return {
    url,
    secret: secret ?? '',
    timeout: given.ENTITLEMENT_WEBHOOK_TIMEOUT,
    cacheSeconds: given.ENTITLEMENT_WEBHOOK_CACHE,
    caFile: given.ENTITLEMENT_WEBHOOK_CA,
  }
}

function asked(given: Given, faults: string[]): AskedEntitlement | undefined {
  const { ENTITLEMENT_URL: url, ENTITLEMENT_URL_CERT: certFile, ENTITLEMENT_URL_KEY: keyFile } = given
  if (url === undefined) return undefined
  if (url.protocol !== 'https:') faults.push('ENTITLEMENT_URL must be an https URL')
  if (given.MODE !== 'emulate')
    faults.push('ENTITLEMENT_URL is for MODE=emulate: in the other modes it is not this service that grants licences')
  if ((certFile === undefined) !== (keyFile === undefined))
    faults.push('ENTITLEMENT_URL_CERT and ENTITLEMENT_URL_KEY must be given together')
  return {
    url,
    certFile,
    keyFile,
    caFile: given.ENTITLEMENT_URL_CA,
    timeout: given.ENTITLEMENT_URL_TIMEOUT,
    when: given.ENTITLEMENT_URL_WHEN,
  }
}
