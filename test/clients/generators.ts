/** How a public generator is called, and how its client is used: an export `ask` that gets a token, an error and records. */
export interface Generator {
  readonly name: string
  /** Files that it reads, by their names. */
  readonly files?: (url: string) => Readonly<Record<string, string>>
  readonly command: readonly string[]
  readonly caller: string
}

/** Where our document lies beside the generated client. */
const DOCUMENT = 'openapi.json'
const ACCEPT = `headers: { accept: 'application/json' }`
const SIGNATURE = `export async function ask(url: string, query: Query, wrong: Query): Promise<unknown[]>`
const QUERY = `
type Query = { customerAuthenticator: string; errorFormat: 'json'; kid: string; contentKey: string; rightsType: 'BuyToOwn' }
  & Record<\`\${'analogVideo' | 'compressedDigitalAudio' | 'compressedDigitalVideo' | 'uncompressedDigitalAudio' | 'uncompressedDigitalVideo'}OPL\`, string>
`

export const generators: readonly Generator[] = [
  {
    name: 'openapi-typescript',
    command: ['openapi-typescript', DOCUMENT, '-o', 'client.ts'],
    caller: `
import createClient from 'openapi-fetch'
import type { paths } from './client.js'
${QUERY}
${SIGNATURE} {
  const { GET } = createClient<paths, 'application/json'>({ baseUrl: url, ${ACCEPT} })
  const issued = await GET('/hms/pr/token', { params: { query } })
  const refused = await GET('/hms/pr/token', { params: { query: wrong } })
  const { customerAuthenticator } = query
  const found = await GET('/cmiapi/getrecord/', { params: { query: { customerAuthenticator } } })
  return [issued.data?.token, refused.error?.code, found.data?.events[0]?.event]
}`,
  },
  {
    name: 'orval',
    files: url => ({
      'orval.config.mjs': `export const client = { input: '${DOCUMENT}', output: { target: 'client.ts', client: 'fetch', baseUrl: '${url}' } }`,
    }),
    command: ['orval', '--config', 'orval.config.mjs'],
    caller: `
import { getPlayreadyToken, getRecords } from './client.js'
${QUERY}
${SIGNATURE} {
  const issued = await getPlayreadyToken(query, { ${ACCEPT} })
  const refused = await getPlayreadyToken(wrong, { ${ACCEPT} })
  const { customerAuthenticator } = query
  const found = await getRecords({ customerAuthenticator })
  if (issued.status !== 200 || typeof issued.data === 'string' || refused.status !== 400 || found.status !== 200) throw new Error('unexpected')
  if (typeof refused.data === 'string') throw new Error('a page')
  return [issued.data.token, refused.data.code, found.data.events[0]?.event]
}`,
  },
  {
    name: 'oazapfts',
    command: ['oazapfts', DOCUMENT, 'client.ts'],
    caller: `
import { defaults, getPlayreadyToken, getRecords } from './client.js'
${QUERY}
function named({ customerAuthenticator, errorFormat, kid, contentKey, rightsType, ...levels }: Query) {
  return {
    errorFormat, kid, contentKey, rightsType,
    analogVideoOpl: levels.analogVideoOPL,
    compressedDigitalAudioOpl: levels.compressedDigitalAudioOPL,
    compressedDigitalVideoOpl: levels.compressedDigitalVideoOPL,
    uncompressedDigitalAudioOpl: levels.uncompressedDigitalAudioOPL,
    uncompressedDigitalVideoOpl: levels.uncompressedDigitalVideoOPL,
  }
}
${SIGNATURE} {
  defaults.baseUrl = url
  const { customerAuthenticator } = query
  const issued = await getPlayreadyToken(customerAuthenticator, named(query), { ${ACCEPT} })
  const refused = await getPlayreadyToken(customerAuthenticator, named(wrong), { ${ACCEPT} })
  const found = await getRecords(customerAuthenticator)
  const [token, refusal, records] = [issued.data, refused.data, found.data]
  if (typeof token === 'string' || !('token' in token) || typeof refusal === 'string' || !('code' in refusal)) throw new Error('unexpected')
  if (typeof records === 'string' || !('events' in records)) throw new Error('unexpected')
  return [token.token, refusal.code, records.events[0]?.event]
}`,
  },
  {
    name: '@hey-api/openapi-ts',
    command: ['openapi-ts', '-i', DOCUMENT, '-o', 'generated'],
    caller: `
import { client } from './generated/client.gen.js'
import { getPlayreadyToken, getRecords } from './generated/index.js'
${QUERY}
${SIGNATURE} {
  client.setConfig({ baseUrl: url, ${ACCEPT} })
  const issued = await getPlayreadyToken({ query })
  const refused = await getPlayreadyToken({ query: wrong })
  const { customerAuthenticator } = query
  const found = await getRecords({ query: { customerAuthenticator } })
  if (typeof issued.data !== 'object' || typeof refused.error !== 'object') throw new Error('unexpected')
  return [issued.data.token, refused.error.code, found.data?.events[0]?.event]
}`,
  },
  {
    name: 'swagger-typescript-api',
    command: ['swagger-typescript-api', 'generate', '-p', DOCUMENT, '-o', '.', '-n', 'client.ts'],
    caller: `
import { Api, type ErrorAnswer, type HttpResponse } from './client.js'
${QUERY}
${SIGNATURE} {
  const api = new Api({ baseUrl: url, baseApiParams: { ${ACCEPT}, format: 'json' } })
  const issued = await api.hms.getPlayreadyToken(query)
  const refused = await api.hms.getPlayreadyToken(wrong).catch((refusal: HttpResponse<unknown, ErrorAnswer>) => refusal)
  const { customerAuthenticator } = query
  const found = await api.cmiapi.getRecords({ customerAuthenticator })
  if (typeof issued.data === 'string' || typeof refused.error !== 'object') throw new Error('unexpected')
  return [issued.data.token, refused.error.code, found.data.events[0]?.event]
}`,
  },
  {
    name: 'kubb',
    files: () => ({
      'kubb.config.mjs': `
import { defineConfig } from '@kubb/core'
import { pluginClient } from '@kubb/plugin-client'
import { pluginOas } from '@kubb/plugin-oas'
import { pluginTs } from '@kubb/plugin-ts'
export default defineConfig({
  root: '.',
  input: { path: './${DOCUMENT}' },
  output: { path: './generated', format: false },
  plugins: [pluginOas({ generators: [] }), pluginTs(), pluginClient({ client: 'fetch' })],
})`,
    }),
    command: ['kubb', 'generate'],
    caller: `
import { setConfig } from '@kubb/plugin-client/clients/fetch'
import { getPlayreadyToken } from './generated/clients/getPlayreadyToken.js'
import { getRecords } from './generated/clients/getRecords.js'
${QUERY}
${SIGNATURE} {
  setConfig({ baseURL: url })
  const issued = await getPlayreadyToken(query, undefined, { ${ACCEPT} })
  // This client answers an error as it answers a success.
  const refused: unknown = await getPlayreadyToken(wrong, undefined, { ${ACCEPT} })
  const { customerAuthenticator } = query
  const found = await getRecords({ customerAuthenticator })
  if (typeof issued === 'string') throw new Error('unexpected')
  return [issued.token, (refused as { code: number }).code, found.events[0]?.event]
}`,
  },
]
