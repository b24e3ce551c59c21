import { element } from './elements.js'
import { prefill, readForm, type Wish } from './form.js'
import { startDash } from './players/dash.js'
import type { StartPlayer } from './players/player.js'
import { startShaka } from './players/shaka.js'
import { Run } from './run.js'
import { type StepState, Steps } from './steps.js'
import { readToken, requestToken } from './token.js'
import { countOf } from './wording.js'

const PLAYERS: Readonly<Record<string, StartPlayer>> = { 'shaka-player': startShaka, 'dash.js': startDash }

/** Where the service is: this page's own URL may have a path before `/player`. */
const base = new URL('.', location.href)

const form = element('request', HTMLFormElement)
const stop = element('stop', HTMLButtonElement)
const video = element('video', HTMLVideoElement)
const outcome = element('outcome', HTMLElement)
const steps = new Steps(element('steps', HTMLElement))
/** What was asked for last: an answer to an earlier wish comes too late. */
let wanted: Wish | undefined
let run: Run | undefined

form.addEventListener('submit', event => {
  event.preventDefault()
  wanted = readForm(form)
  void play(wanted)
})
stop.addEventListener('click', async () => {
  wanted = undefined
  await run?.stop()
  show('waiting', 'Stopped')
})
await prefill(base)

async function play(wish: Wish): Promise<void> {
  await run?.stop()
  steps.reset()
  show('running', 'Starting')
  // On a narrow page it is below the form.
  element('playback', HTMLElement).scrollIntoView({ block: 'nearest' })
  try {
    if (!window.isSecureContext) throw new Error('Browsers decrypt only on pages from https or localhost')
    const startPlayer = PLAYERS[wish.player]
    if (startPlayer === undefined) throw new Error(`There is no player ${wish.player}`)
    steps.show('token', 'running', '')
    const token =
      wish.source === 'ask' ? await requestToken(wish.text, new URL(wish.tokenPath, base)) : readToken(wish.text)
    if (wanted !== wish) return
    steps.show('token', 'done', `${wish.source === 'ask' ? 'Issued' : 'Given'}: ${countOf(token.length, 'character')}`)
    run = new Run({ ...wish, startPlayer, token, video, steps, onOutcome: show })
    await run.start()
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    if (wanted === wish) show('failed', steps.fail(text))
  }
}

/** The status is read aloud when it changes, so it must not be written anew each time. */
function show(state: StepState, text: string): void {
  stop.disabled = state === 'waiting' || state === 'failed'
  outcome.dataset.state = state
  if (outcome.textContent !== text) outcome.textContent = text
}
