// Makes of the compiled code and the libraries what users load: a few files, because loading hundreds takes most of the
// time of a start. Only packages with native code stay outside. Each way in has a file: the library for `import` and for
// `require` (Jest loads no ES modules by default), the command line, and the thread of the SQLite database.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { build } from 'esbuild'

const LIBRARY = { index: 'dist/src/index.js', 'entitlement-client': 'dist/src/entitlement/client/index.js' }

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  outdir: 'dist',
  mainFields: ['module', 'main'], // what jsonc-parser has for CommonJS cannot be bundled
  external: ['libsql', 'sodium-native', 'pg-native'],
  metafile: true,
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none', // the licences are in one file
  logLevel: 'warning',
}

for (const made of ['dist/chunks', 'dist/types']) rmSync(made, { recursive: true, force: true })
const modules = await build({
  ...common,
  entryPoints: { ...LIBRARY, cli: 'dist/src/cli.js', 'sqlite-thread': 'dist/src/store/sqlite/thread.js' },
  format: 'esm',
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  // CommonJS libraries ask for Node's modules with it.
  banner: { js: "import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)" },
})
const commonJs = await build({
  ...common,
  entryPoints: LIBRARY,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  supported: { 'dynamic-import': false },
  define: { 'import.meta.url': 'importMetaUrl' },
  banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href" },
})

const types = new Set()
for (const [name, entry] of Object.entries(LIBRARY)) {
  copyTypes(entry.replace(/\.js$/, '.d.ts'), types)
  const { exports } = modules.metafile.outputs[`dist/${name}.js`]
  writeFileSync(`dist/${name}.d.cts`, commonJsTypes(`./types${entry.slice('dist'.length)}`, exports))
}
cpSync('src/verify/vectors', 'dist/vectors', { recursive: true })
writeFileSync('dist/THIRD-PARTY-LICENSES.txt', licencesOf(modules, commonJs))

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
function licencesOf(...bundles) {
  const inputs = bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs))
  const folders = new Set(inputs.flatMap(path => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []))
  return [...folders].sort().map(licenceOf).join('\n\n')
}

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
  const file = readdirSync(folder).find(name => /^licen[cs]e/i.test(name))
  const text = file === undefined ? '' : readFileSync(`${folder}/${file}`, 'utf8').trim()
  return `${name} ${version} (${license})\n\n${text}`
}
