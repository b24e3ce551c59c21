import { sampleParameters } from '../sample.js'
import { type CommandContext, localUrl } from './command-context.js'
import { causeOfFetch } from './no-answer.js'

/** Asks for a token and prints the answer. The exit code: 0 issued, 1 refused, 2 no answer. */
export async function printToken(
  given: readonly string[],
  options: { url?: string; post?: true },
  { env, stdout, stderr }: CommandContext,
): Promise<number> {
  const parameters = withSample(given)
  const server = options.url ?? localUrl(env)
  try {
    const url = new URL(`${server.replace(/\/+$/, '')}/hms/pr/token`)
    const answer = options.post
      ? await fetch(url, { method: 'POST', body: parameters })
      : await fetch(Object.assign(url, { search: parameters.toString() }))
    stdout.write(`${(await answer.text()).trimEnd()}\n`)
    const ignored = answer.headers.get('x-ignored-parameters')
    if (ignored !== null) stderr.write(`Ignored by the server: ${ignored}\n`)
    return answer.ok ? 0 : 1
  } catch (error) {
    stderr.write(`No answer from ${withoutPassword(server)}: ${causeOfFetch(error)}\n`)
    return 2
  }
}

function withSample(given: readonly string[]): URLSearchParams {
  const parameters = new URLSearchParams(sampleParameters)
  // Numbered keys replace the sample's only key.
  if (given.some(text => /^kid\.\d+=/.test(text))) for (const name of ['kid', 'contentKey']) parameters.delete(name)
  if (given.some(text => text.startsWith('kek='))) parameters.delete('contentKey')
  for (const text of given) {
    const [name = '', ...value] = text.split('=')
    if (value.length === 0) parameters.delete(name)
    else parameters.set(name, value.join('='))
  }
  return parameters
}

function withoutPassword(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'this URL'
}
