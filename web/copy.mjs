// Puts beside the compiled player page what needs no compiling: the page itself, the demo clips, and the players out of
// their npm packages; and the page of the API documentation with Swagger UI. So both pages need no network but this
// server, and an installation needs none of those packages.
import { cpSync, mkdirSync } from 'node:fs'

const root = new URL('../', import.meta.url)
const target = new URL('dist/web/', root)

mkdirSync(new URL('vendor/', target), { recursive: true })
for (const name of ['index.html', 'page.css', 'icon.svg', 'demo'])
  cpSync(new URL(`web/${name}`, root), new URL(name, target), { recursive: true })

for (const [from, to] of [
  ['shaka-player/dist/shaka-player.compiled-es2021.js', 'shaka-player.js'],
  ['shaka-player/LICENSE', 'shaka-player.LICENSE.txt'],
  ['dashjs/dist/modern/esm/dash.all.min.js', 'dash.js'],
  ['dashjs/dist/modern/esm/dash.all.min.js.LICENSE.txt', 'dash.all.min.js.LICENSE.txt'],
  ['dashjs/LICENSE.md', 'dash.LICENSE.txt'],
])
  cpSync(new URL(`node_modules/${from}`, root), new URL(`vendor/${to}`, target))

const docs = new URL('dist/docs-page/', root)
mkdirSync(docs, { recursive: true })
for (const name of ['index.html', 'show.js']) cpSync(new URL(`web/docs/${name}`, root), new URL(name, docs))
const swaggerUi = 'node_modules/@fastify/swagger-ui'
for (const name of ['swagger-ui-bundle.js', 'swagger-ui.css', 'index.css', 'favicon-32x32.png'])
  cpSync(new URL(`${swaggerUi}/static/${name}`, root), new URL(name, docs))
cpSync(new URL(`${swaggerUi}/LICENSE`, root), new URL('swagger-ui.LICENSE.txt', docs))
