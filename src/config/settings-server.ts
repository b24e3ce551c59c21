import * as z from 'zod'
import { ENVIRONMENTS } from '../ground/environment.js'
import { groupMeta, settingMeta } from './setting.js'
import { httpUrl, listenAddress, networks, oneOf, origins, pemFile, truth, wholeNumber } from './setting-rules.js'

export const serverGroup = z
  .object({
    HOST: listenAddress.default('127.0.0.1').register(settingMeta, {
      description: 'The address to listen on; `0.0.0.0` for all interfaces.',
      example: '0.0.0.0',
    }),
    PORT: wholeNumber(0, 65535).default(8080).register(settingMeta, {
      description: 'The port to listen on; 0 takes a free one, which is printed.',
      example: '3000',
    }),
    MODE: oneOf(['emulate', 'gateway', 'replay']).default('emulate').register(settingMeta, {
      description:
        'What issues the tokens. `emulate`: this service. `gateway`: [the real one](gateway.md), which is asked. `replay`: the [recordings](gateway.md#record-and-replay) in `RECORD_DIR`.',
      example: 'gateway',
    }),
    ENVIRONMENT: oneOf(ENVIRONMENTS).default('test').register(settingMeta, {
      description: 'The environment of a request whose Host header names none.',
      example: 'production',
    }),
    PUBLIC_URL: httpUrl.optional().register(settingMeta, {
      description:
        'Where clients reach the service: scheme, host, port and path of `licenseAcquisitionUrl`. Without it, http and the Host header of the request.',
      example: 'https://drm.example.com',
    }),
    TRUSTED_PROXIES: networks.optional().register(settingMeta, {
      description:
        '[Reverse proxies](#behind-a-reverse-proxy) whose `X-Forwarded-For` and `X-Forwarded-Host` are believed.',
      example: '10.0.0.0/8',
    }),
    CORS_ORIGINS: origins.default('*').register(settingMeta, {
      description:
        'The sites whose players may ask for [licences](licences.md); `*` for every site. Sites that are named may also do what [other sites](#browsers) may not, such as asking for tokens; `*` does not allow that.',
      example: 'https://player.example.com',
    }),
    TLS_PORT: wholeNumber(0, 65535).optional().register(settingMeta, {
      description:
        'The port of [the TLS listener](tls.md), beside `PORT`; 0 takes a free one. It needs `TLS_CERT` and `TLS_KEY`, or `TLS=development`.',
      example: '8443',
    }),
    TLS: oneOf(['development']).optional().register(settingMeta, {
      description:
        '`development`: certificates for the names of the real service and of this machine, by an authority of its own in `DATA_DIR`.',
      example: 'development',
    }),
    TLS_CERT: pemFile.optional().register(settingMeta, {
      description:
        "The TLS listener's certificate, followed by the intermediate ones. This file and the next are read again when they change.",
      example: 'certs/server.pem',
    }),
    TLS_KEY: pemFile.optional().register(settingMeta, {
      description: 'The key of that certificate.',
      example: 'certs/server.key.pem',
    }),
    PROXY_PORT: wholeNumber(0, 65535).optional().register(settingMeta, {
      description:
        'The port of [a proxy](tls.md#a-proxy) that answers for the names of the real service; 0 takes a free one. Not with `MODE=gateway`.',
      example: '8888',
    }),
    PROXY_HOST: listenAddress.default('127.0.0.1').register(settingMeta, {
      description: 'The address on which the proxy listens.',
      example: '0.0.0.0',
    }),
    PROXY_PASS_THROUGH: truth.default(false).register(settingMeta, {
      description: 'Whether the proxy lets clients reach other hosts, too. Otherwise they get 403.',
      example: 'true',
    }),
    LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
      .default('info')
      .register(settingMeta, { description: 'The lowest level of a line in [the log](#the-log).', example: 'warn' }),
    SHUTDOWN_TIMEOUT: wholeNumber(1, 600).default(15).register(settingMeta, {
      description: 'Seconds that requests in flight have to end after SIGTERM or SIGINT.',
      example: '30',
    }),
  })
  .register(groupMeta, { title: 'The server' })

const MOST_REQUESTS = 10_000_000

export const limitsGroup = z
  .object({
    RATE_LIMIT_PER_ADDRESS: wholeNumber(0, MOST_REQUESTS).default(0).register(settingMeta, {
      description: '[Requests a minute](limits.md) from one address; 0: any number.',
      example: '600',
    }),
    RATE_LIMIT_PER_ACCOUNT: wholeNumber(0, MOST_REQUESTS).default(0).register(settingMeta, {
      description:
        "Requests a minute with one account's authenticator, where the account has no limit of its own; 0: any number.",
      example: '6000',
    }),
    BODY_LIMIT: wholeNumber(1024, 16 * 1024 * 1024)
      .default(65_536)
      .register(settingMeta, {
        description: 'The largest request body in bytes; a larger one gets 413.',
        example: '1048576',
      }),
    REQUEST_TIMEOUT: wholeNumber(1, 600_000).default(30_000).register(settingMeta, {
      description: 'Milliseconds in which a request has to arrive, head and body; a slower one gets 408.',
      example: '10000',
    }),
    ANSWER_TIMEOUT: wholeNumber(1, 60_000).default(30_000).register(settingMeta, {
      description:
        'Milliseconds after which a connection is closed whose client reads nothing of an answer. It may take twice as long to notice.',
      example: '10000',
    }),
  })
  .register(groupMeta, { title: 'Limits' })

/** The TLS listener. */
export type TlsSettings = { readonly port: number } & (
  | { readonly kind: 'development' }
  | { readonly kind: 'files'; readonly certFile: string; readonly keyFile: string }
)

type TlsGroup = Pick<z.output<typeof serverGroup>, 'TLS_PORT' | 'TLS' | 'TLS_CERT' | 'TLS_KEY'>

/** `undefined` without a TLS_PORT; what is wrong is added to `faults`. */
export function readTls({ TLS_PORT, TLS, TLS_CERT, TLS_KEY }: TlsGroup, faults: string[]): TlsSettings | undefined {
  if (TLS_PORT === undefined) return undefined
  if (TLS !== undefined) {
    if (TLS_CERT !== undefined || TLS_KEY !== undefined)
      faults.push('TLS=development has its own certificate: TLS_CERT and TLS_KEY must not be given')
    return { port: TLS_PORT, kind: 'development' }
  }
  if (TLS_CERT !== undefined && TLS_KEY !== undefined)
    return { port: TLS_PORT, kind: 'files', certFile: TLS_CERT, keyFile: TLS_KEY }
  faults.push('TLS_PORT needs TLS_CERT and TLS_KEY, or TLS=development')
  return undefined
}
