import { readConfig } from '../src/config.js'
import { processLog } from '../src/logging.js'
import { serve } from '../src/server.js'

/** The service as it runs in a process of its own: the same settings, the same log. */
const config = readConfig({ PORT: 0, DATA_DIR: '' })
const server = await serve({ config, logger: processLog(config.LOG_LEVEL).logger })
process.send?.(Number(new URL(server.url).port))
