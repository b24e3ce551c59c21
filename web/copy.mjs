// Puts beside the compiled page what needs no compiling: the page itself, the demo clips, and the players out of their
// npm packages. So the page needs no network but this server, and an installation does not need those packages.
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
