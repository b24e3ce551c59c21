import { readConfig } from '../src/config.js'
import { processLog } from '../src/logging.js'
import { serve } from '../src/server.js'

/** The service as it runs in a process of its own, on a given database: the same settings, the same log. */
const config = readConfig({ PORT: 0, DATA_DIR: '', DATABASE_URL: process.argv[2] })
const server = await serve({ config, logger: processLog(config.LOG_LEVEL).logger })
process.on('SIGTERM', () => void server.close())
process.send?.(Number(new URL(server.url).port))
process.disconnect?.()
