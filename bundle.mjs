// Makes of the compiled code and the libraries what users load: a few files, because loading hundreds takes most of the
// time of a start. Only packages with native code stay outside. Each way in has a file: the library for `import` and for
// `require` (Jest loads no ES modules by default), the command line, and the thread of the SQLite database.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { rolldown } from 'rolldown'

const INDEX = { index: 'dist/src/index.js' }
const CLIENT = { 'entitlement-client': 'dist/src/entitlement/client/index.js' }

/** Loads every file of the bundle, and so is none of them. */
const LOADER = 'dist/src/compiled-code.js'
/** In an ES module: loads a file of the bundle. */
const LOAD = `import { createRequire } from 'node:module'
const { load } = createRequire(import.meta.url)('./chunks/load.cjs')`

/** What every start loads, what an emulator loads beside that, and what the commands need of both, are a file each. */
const GROUPS = [
  { name: 'config', test: /dist\/src\/(?:config\/|errors\/|ground\/|store\/sqlite\/early-thread)/, priority: 1 },
  { name: 'server', test: /dist\/src\/server\.js$/ },
  {
    name: 'emulator',
    test: /dist\/src\/(?:emulator-services|emulator\/emulated-clock|journal\/(?:observation|library)|http\/fault-injection)\.js$/,
  },
]

/**
 * What is never called, and would be a quarter of what a start parses: compilers of JSON schemas, which no route of ours has
 * (src/http/http-server.ts), and what @fastify/static lists folders with and prom-client asks for exemplars.
 */
const NEVER_CALLED = /^(?:@fastify\/(?:ajv-compiler|fast-json-stringify-compiler)|glob|@opentelemetry\/api)$/
/** Node takes long to find out which names a CommonJS module exports to an ES module, so these are required. */
const NATIVE = /^(?:libsql|sodium-native)$/

const libraries = {
  name: 'libraries',
  resolveId(id, importer) {
    if (importer !== undefined && id.endsWith('/compiled-code.js')) return { id: './load.cjs', external: true }
    return NEVER_CALLED.test(id) || NATIVE.test(id) ? `\0${id}` : undefined
  },
  load(id) {
    if (!id.startsWith('\0')) return undefined
    const name = id.slice(1)
    if (NEVER_CALLED.test(name)) return 'export default undefined'
    if (!NATIVE.test(name)) return undefined
    return `import { createRequire } from 'node:module'\nexport default createRequire(import.meta.url)('${name}')`
  },
}

for (const made of ['dist/chunks', 'dist/compiled', 'dist/types']) rmSync(made, { recursive: true, force: true })
const splitting = { groups: GROUPS.map(group => ({ ...group, includeDependenciesRecursively: true })) }
const main = await bundle(
  { ...INDEX, cli: 'dist/src/cli.js' },
  { format: 'cjs', entryFileNames: 'chunks/[name]-[hash].cjs', codeSplitting: splitting },
)
await bundle({ load: LOADER }, { format: 'cjs', entryFileNames: 'chunks/[name].cjs' })
const client = await bundle(CLIENT)
await bundle(CLIENT, { format: 'cjs', entryFileNames: '[name].cjs', codeSplitting: false })
// Without the application, of which the thread would otherwise have a second copy in memory.
const thread = await bundle({ 'sqlite-thread': 'dist/src/store/sqlite/thread.js' })

const library = main.find(({ name, isEntry }) => isEntry && name === 'index')
const commands = main.find(({ name, isEntry }) => isEntry && name === 'cli')
writeFileSync('dist/index.js', `${LOAD}\nexport const { ${library.exports.join(', ')} } = ${loading(library)}\n`)
writeFileSync('dist/index.cjs', `const { load } = require('./chunks/load.cjs')\nmodule.exports = ${loading(library)}\n`)
writeFileSync('dist/cli.js', `#!/usr/bin/env node\n${LOAD}\n${loading(commands)}\n`)

const types = new Set()
for (const [entry, { name, exports }] of [
  [INDEX.index, library],
  [CLIENT['entitlement-client'], client[0]],
]) {
  copyTypes(entry.replace(/\.js$/, '.d.ts'), types)
  writeFileSync(`dist/${name}.d.cts`, commonJsTypes(`./types${entry.slice('dist'.length)}`, exports))
}
cpSync('src/verify/vectors', 'dist/vectors', { recursive: true })
writeFileSync('dist/THIRD-PARTY-LICENSES.txt', licencesOf([...main, ...client, ...thread]))

function loading({ fileName }) {
  return `load('${basename(fileName)}')`
}

/** The files of a bundle, which are written. */
async function bundle(input, output = { codeSplitting: false }) {
  const made = await rolldown({
    input,
    platform: 'node',
    external: ['pg-native'],
    plugins: [libraries],
    resolve: { mainFields: ['module', 'main'] }, // what jsonc-parser has for CommonJS cannot be bundled
    transform: { target: 'node20.19' },
  })
  const written = await made.write({
    dir: 'dist',
    format: 'esm',
    chunkFileNames: 'chunks/[name]-[hash].cjs',
    charset: 'ascii',
    strict: true,
    // Names stay, for stack traces.
    minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
    comments: false, // the licences are in one file
    ...output,
  })
  await made.close()
  return written.output.filter(({ type }) => type === 'chunk')
}

/** Copies a file of types and all that it imports into a folder of their own, so that nothing else is shipped. */
function copyTypes(path, copied) {
  if (copied.has(path)) return
  copied.add(path)
  const target = join('dist/types', relative('dist', path))
  const text = readFileSync(path, 'utf8').replace(/^\/\/# sourceMappingURL=.*\n?/m, '')
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, text)
  for (const [, imported] of text.matchAll(/(?:from|import\()\s*['"](\.[^'"]+)\.js['"]/g))
    copyTypes(join(dirname(path), `${imported}.d.ts`), copied)
}

/** The types of an ES module, for those who `require` it. */
function commonJsTypes(module, names) {
  const mode = "with { 'resolution-mode': 'import' }"
  const classes = names.filter(name => /^[A-Z]/.test(name))
  return [
    `import type * as library from '${module}' ${mode}`,
    `export type * from '${module}' ${mode}`,
    ...names.map(name => `export declare const ${name}: typeof library.${name}`),
    ...classes.map(name => `export type ${name} = library.${name}`),
    '',
  ].join('\n')
}

/** The licences of all packages that the bundles contain. */
function licencesOf(files) {
  const inputs = files.flatMap(({ moduleIds }) => moduleIds).map(path => relative('.', path))
  const folders = new Set(inputs.flatMap(path => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []))
  return [...folders].sort().map(licenceOf).join('\n\n')
}

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
  const file = readdirSync(folder).find(name => /^licen[cs]e/i.test(name))
  const text = file === undefined ? '' : readFileSync(`${folder}/${file}`, 'utf8').trim()
  return `${name} ${version} (${license})\n\n${text}`
}
