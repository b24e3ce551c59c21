import { fairplay } from '../src/drm/fairplay-family.js'
import { widevine } from '../src/drm/widevine-family.js'
import { sampleRequest } from '../src/sample.js'
import type { Databases } from './databases.js'
import { alternate, type Target } from './load.js'
import { startService } from './processes.js'
import { rateRows } from './rate-rows.js'
import type { Row } from './table.js'
import { TOKEN_PATH } from './token-request.js'

/** Tokens of the other DRMs that public storefronts ask for, against those of PlayReady. */
export async function benchFamilies(databases: Databases): Promise<Row[]> {
  const service = await startService(databases.sqlite())
  const targets: Record<string, Target> = { 'PlayReady tokens, SQLite': { url: service.url + TOKEN_PATH } }
  const least: Record<string, number> = {}
  for (const family of [widevine, fairplay]) {
    const query = new URLSearchParams({ ...sampleRequest(family) })
    const name = `${family.title} tokens, SQLite`
    targets[name] = { url: `${service.url}${family.tokenPath}?${query}` }
    least[name] = 0.95
  }
  const measured = await alternate(targets)
  await service.stop()
  return rateRows(measured, least)
}
