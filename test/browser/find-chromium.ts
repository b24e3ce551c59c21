import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installPackages } from '../debian-packages.js'

/** The program of CHROMIUM_PATH, or else the first Chromium, Chrome or Edge at one of its usual places. */
export function findChromium(): string | undefined {
  const given = process.env.CHROMIUM_PATH ?? ''
  return (given === '' ? usualPlaces() : [given]).find(path => existsSync(path))
}

/** Installs Debian's or Ubuntu's package where that takes neither a password nor an answer. */
export function installChromium(announce: (command: string) => void): void {
  if ((process.env.CHROMIUM_PATH ?? '') === '') installPackages([debianPackage()], announce)
}

/** Why browser tests are skipped, and what to do about it. */
export function chromiumRemedy(): string {
  const given = process.env.CHROMIUM_PATH ?? ''
  if (given !== '') return `there is nothing at CHROMIUM_PATH (${given})`
  const commands: Partial<Record<NodeJS.Platform, string>> = {
    linux: `sudo apt-get install ${debianPackage()}`,
    darwin: 'brew install --cask chromium',
    win32: 'winget install Google.Chrome',
  }
  const install = commands[process.platform] ?? 'install Chromium'
  return `there is no Chromium, Chrome or Edge: ${install}, or set CHROMIUM_PATH to yours`
}

function usualPlaces(): string[] {
  if (process.platform === 'win32') {
    const roots = [process.env.PROGRAMFILES, process.env['PROGRAMFILES(X86)'], process.env.LOCALAPPDATA]
    const programs = [
      'Chromium/Application/chrome.exe',
      'Google/Chrome/Application/chrome.exe',
      'Microsoft/Edge/Application/msedge.exe',
    ]
    return programs.flatMap(program => roots.flatMap(root => (root === undefined ? [] : [join(root, program)])))
  }
  if (process.platform === 'darwin') {
    const names = ['Chromium', 'Google Chrome', 'Microsoft Edge']
    const folders = ['/Applications', join(process.env.HOME ?? '', 'Applications')]
    return names.flatMap(name => folders.map(folder => `${folder}/${name}.app/Contents/MacOS/${name}`))
  }
  const names = [
    'chromium',
    'chromium-browser',
    'google-chrome',
    'google-chrome-stable',
    'microsoft-edge',
    'microsoft-edge-stable',
  ]
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/snap/bin']
  const fixed = ['/opt/google/chrome/chrome', '/opt/microsoft/msedge/msedge']
  return [...names.flatMap(name => folders.map(folder => join(folder, name))), ...fixed]
}

/** On Ubuntu it brings the snap. */
function debianPackage(): string {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  return /^ID=ubuntu$/m.test(release) ? 'chromium-browser' : 'chromium'
}
