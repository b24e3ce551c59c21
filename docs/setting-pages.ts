import * as z from 'zod'
import { groupMeta, settingMeta } from '../src/config/setting.js'
import { settingGroups } from '../src/config/setting-groups.js'
import { allowedValues } from '../src/config/setting-rules.js'

/** What the pages say of a setting, in Markdown. */
interface ShownSetting {
  readonly name: string
  readonly description: string
  readonly allowed: string
  /** Not of secrets, which somebody would copy, nor where the allowed values say everything. */
  readonly example: string | undefined
  /** As it is written in an environment variable; without one, `undefined`. */
  readonly preset: string | undefined
}

function shownSetting(name: string, schema: z.ZodType): ShownSetting {
  const meta = settingMeta.get(schema)
  const allowed = allowedValues.get(
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault ? schema.unwrap() : schema,
  )
  if (meta === undefined || allowed === undefined) throw new Error(`${name} has no description`)
  const preset = schema instanceof z.ZodDefault ? String(schema.def.defaultValue) : undefined
  const isChoice = allowed.text.includes(`\`${meta.example}\``)
  const isWholeSecret = meta.isSecret === true && !meta.example.includes('://')
  const example = isChoice || isWholeSecret ? undefined : meta.example
  return { name, description: meta.description, allowed: allowed.text, example, preset }
}

function shownSettings(group: z.ZodObject): ShownSetting[] {
  // A shape of zod is typed by its core.
  return Object.entries(group.shape).map(([name, schema]) => shownSetting(name, schema as z.ZodType))
}

const TABLE = /(<!-- settings: ([a-z-]+) -->\n)[\s\S]*?(<!-- end of settings -->)/g

/** The page with the tables that its marks ask for. */
export function withSettingTables(page: string): string {
  const groups = new Map<string, z.ZodObject>(Object.entries(settingGroups))
  const filled = page.replace(TABLE, (_all, begin: string, key: string, end: string) => {
    const group = groups.get(key)
    if (group === undefined) throw new Error(`there are no settings of ${key}, or they have two tables`)
    groups.delete(key)
    return `${begin}\n${settingTable(group)}\n\n${end}`
  })
  if (groups.size > 0) throw new Error(`configuration.md has no table for ${[...groups.keys()].join(', ')}`)
  return filled
}

function settingTable(group: z.ZodObject): string {
  const rows = shownSettings(group).map(setting => {
    const { name, description, preset } = setting
    return `| \`${name}\` | ${valuesOf(setting)} | ${preset === undefined ? 'none' : `\`${preset}\``} | ${description} |`
  })
  return ['| name | value | default | description |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

function valuesOf({ allowed, example }: ShownSetting): string {
  return example === undefined ? allowed : `${allowed}, such as \`${example}\``
}

/** `.env.example`: every setting with its default. */
export function envExample(): string {
  const groups = Object.values(settingGroups).map(group => {
    const lines = shownSettings(group).map(setting => `${commentOf(setting)}\n${setting.name}=${setting.preset ?? ''}`)
    return `# --- ${groupMeta.get(group)?.title ?? ''} ---\n\n${lines.join('\n')}\n`
  })
  return `${HEADER}\n${groups.join('\n')}`
}

const HEADER = `# Every setting with its default. Copy this file to .env, or set environment variables, which come before .env.
# An empty value of a variable without a default is no value. docs/configuration.md says more.
# Made by \`npm run docs\` from src/config/.
`

function commentOf(setting: ShownSetting): string {
  return `${commented(plain(setting.description))}\n${commented(`Value: ${plain(valuesOf(setting))}`)}`
}

/** Without the marks of Markdown. */
function plain(markdown: string): string {
  return markdown.replace(/\[([^\]]+)\]\([^)]+\)/g, '$1').replaceAll('`', '')
}

const WIDTH = 120

function commented(text: string): string {
  const lines = ['#']
  for (const word of text.split(' ')) {
    const line = `${lines.at(-1)} ${word}`
    if (line.length <= WIDTH) lines[lines.length - 1] = line
    else lines.push(`# ${word}`)
  }
  return lines.join('\n')
}
