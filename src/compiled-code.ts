import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cachedDataVersionTag } from 'node:v8'
import { runInThisContext, Script } from 'node:vm'
import { threadId } from 'node:worker_threads'

/**
 * Loads the files of the bundle (bundle.mjs) with V8's code cache, because compiling takes half of a first start. The
 * first server of an installation writes the cache to the package's folder: anyone who can write there can change the
 * code itself. If the folder is read-only, each start compiles the files.
 */
const ownFile = fileURLToPath(import.meta.url)
const chunks = dirname(ownFile)
const folder = join(chunks, '../compiled')
const requireHere = createRequire(import.meta.url)
/** Of Jest, for example, whose modules live in a context of their own: a script would get objects of another one. */
const isForeignContext = runInThisContext('Object') !== Object
const isOff = isForeignContext || process.env.NODE_DISABLE_COMPILE_CACHE === '1' // Node's own switch

/** V8 refuses the cache of another version, of other flags or for another processor: each has a file of its own. */
const suffix = `${process.arch}-${cachedDataVersionTag().toString(16)}`

interface Module {
  readonly exports: unknown
}

const loaded = new Map<string, Module>()
/** What was compiled because there is no cache of it. */
const compiled = new Map<string, Script>()

/** Loads a file of the bundle once, by its name. */
export function load(name: string): unknown {
  if (isOff) return requireHere(`./${name}`)
  const module = loaded.get(name) ?? { exports: {} }
  if (!loaded.has(name)) {
    loaded.set(name, module)
    run(name, module)
  }
  return module.exports
}

function run(name: string, module: Module): void {
  const path = join(chunks, name)
  try {
    const body = scriptOf(name, path).runInThisContext() as (...args: unknown[]) => void // what WRAPPER makes
    body(module.exports, requireIn, module, path, chunks)
  } catch (error) {
    loaded.delete(name)
    throw error
  }
}

function requireIn(id: string): unknown {
  const isChunk = id.startsWith('./') && id !== `./${basename(ownFile)}`
  return isChunk ? load(id.slice('./'.length)) : requireHere(id)
}

const WRAPPER = '(function (exports, require, module, __filename, __dirname) {'

function scriptOf(name: string, filename: string): Script {
  const source = `${WRAPPER}${readFileSync(filename, 'latin1')}\n})` // the bundle is ASCII
  const cachedData = cacheOf(name)
  const options = { filename, columnOffset: -WRAPPER.length }
  const script = new Script(source, cachedData === undefined ? options : { ...options, cachedData })
  if (cachedData === undefined || script.cachedDataRejected === true) compiled.set(name, script)
  return script
}

/** `undefined` also for one that is damaged, which V8 would run. */
function cacheOf(name: string): Buffer | undefined {
  try {
    const file = readFileSync(cacheFile(name))
    const data = file.subarray(DIGEST_BYTES)
    return file.subarray(0, DIGEST_BYTES).equals(digestOf(data)) ? data : undefined
  } catch {
    return undefined
  }
}

/** In front of the data. */
const DIGEST_BYTES = 32

function digestOf(data: Buffer): Buffer {
  return createHash('sha256').update(data).digest()
}

function cacheFile(name: string): string {
  return join(folder, `${name}-${suffix}`)
}

/** What has been compiled by now becomes the cache: when a server has started and has answered its first requests. */
export function storeCompiled(): void {
  if (compiled.size === 0) return
  try {
    mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.W_OK)
    for (const [name, script] of compiled) replace(cacheFile(name), script.createCachedData())
  } catch {
    // A folder that cannot be written to, or a full disk: the next start compiles again.
  }
  compiled.clear()
}

/** At once, because other processes may be reading it. */
function replace(file: string, data: Buffer): void {
  const incomplete = `${file}.${process.pid}-${threadId}`
  writeFileSync(incomplete, Buffer.concat([digestOf(data), data]))
  renameSync(incomplete, file)
}
