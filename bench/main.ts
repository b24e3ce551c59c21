import { availableParallelism, cpus } from 'node:os'
import { Databases } from './databases.js'
import { benchEntitlements } from './entitlements.js'
import { benchFamilies } from './families.js'
import { benchGateway } from './gateway.js'
import { benchInstallation } from './installation.js'
import { benchInstances } from './instances.js'
import { benchKeystore } from './keystore.js'
import { LOAD_GENERATOR } from './load.js'
import { benchLookUps } from './look-ups.js'
import { benchMemory } from './memory.js'
import { benchRedemptions } from './redemptions.js'
import { benchStart } from './start.js'
import { type Row, tableOf } from './table.js'
import { benchTokens } from './tokens.js'

/** `npm run bench -- [part…] [--long]`: what is named, or all that fits into five minutes. */
const args = process.argv.slice(2)
const isLong = args.includes('--long')

type Bench = (databases: Databases) => Promise<Row[]>
const parts: Readonly<Record<string, Bench>> = {
  start: benchStart,
  memory: databases => benchMemory(databases, { isLong }),
  tokens: benchTokens,
  redemptions: benchRedemptions,
  gateway: benchGateway,
  entitlements: benchEntitlements,
  installation: benchInstallation,
  instances: benchInstances,
}
const onlyByName: Readonly<Record<string, Bench>> = {
  families: benchFamilies,
  'look-ups': benchLookUps,
  keystore: benchKeystore,
}

const all = { ...parts, ...onlyByName }
const named = args.filter(arg => arg !== '--long')
const unknown = named.filter(name => !(name in all))
if (unknown.length > 0) throw new Error(`no part ${unknown.join(', ')}; there are ${Object.keys(all).join(', ')}`)

const began = performance.now()
const databases = new Databases()
const rows: Row[] = []
try {
  for (const name of named.length > 0 ? named : Object.keys(parts)) {
    process.stderr.write(`${name}…\n`)
    try {
      rows.push(...((await all[name]?.(databases)) ?? []))
    } catch (error) {
      rows.push({ what: name, measured: `failed: ${error instanceof Error ? error.message : error}` })
      process.exitCode = 1
    }
  }
} finally {
  await databases.end()
}
const machine = `${availableParallelism()} × ${cpus()[0]?.model.trim()}`
const seconds = Math.round((performance.now() - began) / 1000)
process.stdout.write(`
${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${machine}, loaded by ${LOAD_GENERATOR}, ${seconds} seconds

${tableOf(rows)}`)
