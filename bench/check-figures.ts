import { spawnSync } from 'node:child_process'
import type { FigureName, Figures } from './baseline.js'
import { Databases } from './databases.js'
import { alternate, loadRequests } from './load.js'
import { startProcess, startService } from './processes.js'
import { alternateStarts } from './start.js'
import { TOKEN_PATH, tokenAnswer } from './token-request.js'

const START_ROUNDS = 7
const REQUESTS = 100_000

/**
 * Lets this process and those that it starts run before other work, where that is allowed (as root): what else runs
 * between two requests empties the processor's caches, which costs the service more than a bare server.
 */
export function runBeforeOthers(): void {
  spawnSync('chrt', ['--all-tasks', '--rr', '--pid', '1', String(process.pid)], { stdio: 'ignore' })
}

/** Measures these figures, each against bare Fastify, loaded or started in turn with the service. */
export async function measureFigures(names: readonly FigureName[]): Promise<Partial<Figures>> {
  const databases = new Databases()
  try {
    const answer = await tokenAnswer()
    const figures = {
      ...(names.includes('start') && { start: await startRatio(answer, databases) }),
      ...((names.includes('memory') || names.includes('mainThread')) && (await loadRatios(answer, databases))),
    }
    return Object.fromEntries(names.map(name => [name, figures[name]]))
  } finally {
    await databases.end()
  }
}

async function startRatio(answer: string, databases: Databases): Promise<number> {
  const { bare, service } = await alternateStarts(START_ROUNDS, {
    bare: () => startProcess('bare.js', answer),
    service: () => startService(databases.sqlite()),
  })
  return service.microseconds / bare.microseconds
}

async function loadRatios(answer: string, databases: Databases): Promise<{ memory: number; mainThread: number }> {
  const servers = [await startProcess('bare.js', answer), await startService(databases.sqlite())] as const
  const [bare, service] = servers.map(server => ({ ...server, url: server.url + TOKEN_PATH }))
  if (bare === undefined || service === undefined) throw new Error('there are two servers')
  const rounds = await alternate({ bare, service })
  await loadRequests(bare, REQUESTS - rounds.bare.requests)
  await loadRequests(service, REQUESTS - rounds.service.requests)
  const memory = service.residentMegabytes() / bare.residentMegabytes()
  for (const server of servers) await server.stop()
  return { memory, mainThread: (rounds.service.microseconds ?? Number.NaN) / (rounds.bare.microseconds ?? Number.NaN) }
}
