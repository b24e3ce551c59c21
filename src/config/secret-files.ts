import { readRegularFile } from '../ground/files.js'
import { settingMeta } from './setting.js'
import { type SettingName, settingNames, settings } from './setting-groups.js'

/** The value of a setting, as text, and the setting that it comes from: its own, or the one that names a file. */
interface GivenValue {
  readonly text: string
  readonly from: SettingName
}

/**
 * Puts the content of files in the place of their settings: what `ADMIN_TOKEN_FILE` names becomes the value of
 * `ADMIN_TOKEN`. What is wrong is added to `faults`, never with the content.
 */
export function readSecretFiles(
  given: ReadonlyMap<SettingName, string>,
  faults: string[],
): ReadonlyMap<SettingName, GivenValue> {
  const values = new Map([...given].map(([name, text]) => [name, { text, from: name }]))
  for (const [name, target] of SECRET_FILES) {
    const path = given.get(name)
    if (path === undefined) continue
    values.delete(name)
    if (given.has(target)) faults.push(`${target} and ${name} must not both be given`)
    const text = readSecretFile(path)
    if (text === undefined) faults.push(`${name} must be the path of a file that can be read`)
    else if (text === '') faults.push(`${name} must be the path of a file that is not empty`)
    else values.set(target, { text, from: name })
  }
  return values
}

/** Many times what a secret takes. */
const LARGEST_SECRET = 64 * 1024

/** Without the line end that editors and `echo` add. */
function readSecretFile(path: string): string | undefined {
  try {
    return readRegularFile(path, LARGEST_SECRET).replace(/(?:\r?\n)+$/, '')
  } catch {
    return undefined
  }
}

/** The settings that name files, each with the setting whose value the file holds. */
const SECRET_FILES = settingNames.flatMap(name => {
  const target = settingNames.find(other => other === settingMeta.get(settings.shape[name])?.fileOf)
  return target === undefined ? [] : ([[name, target]] as const)
})
