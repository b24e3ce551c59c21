import * as z from 'zod'
import { path } from './setting-rules.js'

/** The documentation of a setting. `.env.example` and the tables in docs/configuration.md are made from it. */
export interface SettingMeta {
  /** Whole sentences, in Markdown: links are relative to `docs/`. */
  readonly description: string
  /** A value that the setting accepts. */
  readonly example: string
  /** The value, or a password in it, is a secret: a file can hold it, which the setting `<name>_FILE` names. */
  readonly isSecret?: true
  /** The value is the path of a file that holds the value of this other setting. */
  readonly fileOf?: string
}

export const settingMeta = z.registry<SettingMeta>()

/** What a group of settings is about. */
export const groupMeta = z.registry<{ readonly title: string }>()

/** The setting `<name>_FILE` of a setting that is a secret: containers and Kubernetes hand secrets over as files. */
export function fileOf(name: string) {
  return path.optional().register(settingMeta, {
    description: `A file that holds \`${name}\`, which is then not given itself.`,
    example: `/run/secrets/${name.toLowerCase()}`,
    fileOf: name,
  })
}
