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

/** With an empty profile. Nothing else shows that a player plays: the runner skips these tests where there is none. */
export async function launchChromium(t: Test): Promise<Browser> {
  const executablePath = findChromium()
  if (executablePath === undefined) throw new Error(chromiumRemedy())
  const browser = await chromium.launch({ executablePath, args: FLAGS })
  t.teardown(() => browser.close())
  return browser
}
