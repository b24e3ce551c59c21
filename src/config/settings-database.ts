import * as z from 'zod'
import { fileOf, groupMeta, settingMeta } from './setting.js'
import { databaseUrl, folder, wholeNumber } from './setting-rules.js'

export const databaseGroup = z
  .object({
    DATA_DIR: folder.default('./data').register(settingMeta, {
      description:
        'The folder of the database file and of `token.keys`; it is made where it is missing. Empty: no file, and everything lives as long as the process.',
      example: '/var/lib/expressplay',
    }),
    DATABASE_URL: databaseUrl.optional().register(settingMeta, {
      description:
        '[The database](#the-database) with accounts, balances, the log and stored keys. Without it, `expressplay.db` in `DATA_DIR`, or memory where `DATA_DIR` is empty.',
      example: 'postgres://drm:password@db.example.com/drm',
      isSecret: true,
    }),
    DATABASE_URL_FILE: fileOf('DATABASE_URL'),
    LOG_RETENTION_DAYS: wholeNumber(0, 36_500).default(0).register(settingMeta, {
      description: 'How many days the transaction log reaches back; 0 keeps it forever.',
      example: '400',
    }),
  })
  .register(groupMeta, { title: 'The database' })
