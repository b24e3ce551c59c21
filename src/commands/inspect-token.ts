import { text } from 'node:stream/consumers'
import { readConfig } from '../config/config.js'
import { environmentSettings } from '../config/environment-settings.js'
import { Families } from '../drm/families.js'
import { pooledRandomness } from '../ground/randomness.js'
import { presentToken, tokenIn } from '../tokens/presented-token.js'
import { openToken, type ReadToken } from '../tokens/token-content.js'
import { readTokenKeys } from '../tokens/token-keys.js'
import { TokenVault } from '../tokens/vault.js'
import type { CommandContext } from './command-context.js'

/** Opens a token with this machine's keys and prints what it says. The exit code: 0 opened, 1 not ours, 2 no keys. */
export async function inspectToken(
  given: string,
  options: { showKeys?: true },
  { env, stdin, stdout, stderr }: CommandContext,
): Promise<number> {
  const token = tokenIn(given === '-' ? await text(stdin) : given)
  let vault: TokenVault
  try {
    const { TOKEN_KEYS, DATA_DIR } = readConfig(environmentSettings(env))
    vault = new TokenVault(TOKEN_KEYS ?? readTokenKeys(DATA_DIR), pooledRandomness())
  } catch (error) {
    stderr.write(`Found no token keys: ${error instanceof Error ? error.message : String(error)}\n`)
    return 2
  }
  let opened: ReadToken | undefined
  try {
    opened = openToken(vault, new Families(), token)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    stderr.write(
      `This token was sealed with these keys by another version, which this one cannot read: ${error.message}\n`,
    )
    return 1
  }
  if (opened === undefined) {
    stderr.write('This is no token that was sealed with these keys, or it was changed.\n')
    return 1
  }
  stdout.write(`${JSON.stringify(presentToken(opened, options.showKeys === true), null, 2)}\n`)
  return 0
}
