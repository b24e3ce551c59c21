import { FAMILY_NAMES, Families } from '../drm/families.js'
import { sampleRequest } from '../sample.js'
import { type CommandContext, localUrl } from './command-context.js'
import { causeOfFetch } from './no-answer.js'

export interface TokenOptions {
  readonly url?: string
  readonly post?: true
  readonly drm: string
}

/** How long to wait for an answer, in milliseconds: longer than a gateway waits for its upstream. */
const TIMEOUT = 150_000

/** Asks for a token and prints the answer. The exit code: 0 issued, 1 refused, 2 no answer. */
export async function printToken(
  given: readonly string[],
  options: TokenOptions,
  { env, stdout, stderr }: CommandContext,
): Promise<number> {
  const family = Families.called(options.drm)
  if (family === undefined) {
    stderr.write(`--drm must be one of ${FAMILY_NAMES}\n`)
    return 2
  }
  const parameters = withSample(sampleRequest(family), given)
  const server = options.url ?? localUrl(env)
  try {
    const url = new URL(`${server.replace(/\/+$/, '')}${family.tokenPath}`)
    const signal = AbortSignal.timeout(TIMEOUT)
    const answer = options.post
      ? await fetch(url, { method: 'POST', body: parameters, signal })
      : await fetch(Object.assign(url, { search: parameters.toString() }), { signal })
    stdout.write(`${(await answer.text()).trimEnd()}\n`)
    const ignored = answer.headers.get('x-ignored-parameters')
    if (ignored !== null) stderr.write(`Ignored by the server: ${ignored}\n`)
    const assumed = answer.headers.get('x-assumed-parameters')
    if (assumed !== null) stderr.write(`Assumed by the server: ${assumed}\n`)
    return answer.ok ? 0 : 1
  } catch (error) {
    stderr.write(`No answer from ${withoutPassword(server)}: ${causeOfFetch(error)}\n`)
    return 2
  }
}

function withSample(sample: Readonly<Record<string, string>>, given: readonly string[]): URLSearchParams {
  const parameters = new URLSearchParams(sample)
  // Numbered keys replace the sample's only key.
  if (given.some(text => /^(?:kid|contentId)\.\d+=/.test(text)))
    for (const name of ['kid', 'contentKey']) parameters.delete(name)
  if (given.some(text => text.startsWith('kek='))) parameters.delete('contentKey')
  for (const text of given) {
    const [name = '', ...value] = text.split('=')
    // The sample's value goes, and what is given more than once is sent more than once.
    if (parameters.get(name) === sample[name]) parameters.delete(name)
    if (value.length > 0) parameters.append(name, value.join('='))
  }
  return parameters
}

function withoutPassword(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'this URL'
}
