import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { type SettingName, type Settings, settingNames } from './setting-groups.js'
import { notKnown, slipOf } from './unknown-names.js'

const known: ReadonlySet<string> = new Set(settingNames)

/**
 * The settings in an environment. A `.env` file in the current folder adds to it first, as `process.loadEnvFile` would.
 *
 * Names that look like a misspelled setting are warned of where they come from the environment, which every program of
 * the machine adds to, and returned where they come from `.env`, so that they are refused. The rest of `.env` may be
 * for another program, as Compose shares the file: it is warned of.
 *
 * A port that is a URL comes from Kubernetes, and is ignored with a warning (`serviceLinks`).
 */
export function environmentSettings(env: NodeJS.ProcessEnv, warn: (warning: string) => void = () => {}): Settings {
  const file = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {}
  for (const name of serviceLinks(env)) {
    warn(`${name} is ignored: its value is the address of a service in Kubernetes (enableServiceLinks), not a port`)
    delete env[name]
  }
  for (const name of unknownOf(env)) {
    const meant = name in file ? undefined : slipOf(name, settingNames)
    // Where the right name is set as well, the other one belongs to another program.
    if (meant !== undefined && env[meant] === undefined) warn(notKnown(name, 'a setting', settingNames))
  }
  const inFile = unknownOf(file)
  const slips = inFile.filter(name => slipOf(name, settingNames) !== undefined)
  const others = inFile.filter(name => !slips.includes(name))
  if (others.length > 0) warn(`.env has names that are not settings: ${others.join(', ')}`)
  for (const [name, value] of Object.entries(file)) env[name] ??= value
  return Object.fromEntries([...settingNames, ...slips].map(name => [name, env[name]]))
}

/** For a service named `entitlement` Kubernetes sets ENTITLEMENT_PORT=tcp://10.0.0.1:8091 in every pod beside it. */
function serviceLinks(env: NodeJS.ProcessEnv): SettingName[] {
  return settingNames.filter(name => name.endsWith('PORT') && /^(?:tcp|udp|sctp):\/\//.test(env[name] ?? ''))
}

function unknownOf(variables: NodeJS.ProcessEnv): string[] {
  return Object.keys(variables).filter(name => !known.has(name))
}
