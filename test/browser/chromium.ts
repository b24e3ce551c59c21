import { type Browser, chromium } from 'playwright-core'
import type { Test } from 'tap'
import { chromiumRemedy, findChromium } from './find-chromium.js'

/** Quiet: it asks nothing of the world outside, and runs as root too. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

let launched: Promise<Browser> | undefined

/**
 * The browser of this process, with an empty profile; each page has its own. It closes with the whole test. Nothing
 * else shows that a player plays: the runner skips these tests where there is none.
 */
export function launchChromium(t: Test): Promise<Browser> {
  launched ??= launch(t)
  return launched
}

async function launch(t: Test): Promise<Browser> {
  const executablePath = findChromium()
  if (executablePath === undefined) throw new Error(chromiumRemedy())
  const browser = await chromium.launch({ executablePath, args: FLAGS })
  t.teardown(() => browser.close())
  return browser
}
