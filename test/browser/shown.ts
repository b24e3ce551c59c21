import type { StepName, StepState } from '../../web/steps.js'

/** What the page shows of a run, and what the browser itself counted. */
export interface Shown {
  readonly outcome: string
  readonly steps: Readonly<Record<StepName, { readonly state: StepState; readonly text: string }>>
  readonly seconds: number
  readonly frames: number
  readonly audioBytes: number
  readonly mediaError: string | undefined
}

/** Runs in the page: whether it plays, beyond doubt, or has failed. */
export function isSettled(): boolean {
  const video = document.querySelector<HTMLVideoElement>('#video')
  if (video === null) throw new Error('this is not the player page')
  if (document.querySelector<HTMLElement>('#outcome')?.dataset.state === 'failed') return true
  // The clock alone is no proof: it runs with a black picture, too.
  const { totalVideoFrames } = video.getVideoPlaybackQuality()
  return video.currentTime > 1 && totalVideoFrames > 20 && (video.webkitAudioDecodedByteCount ?? 0) > 0
}

/** Runs in the page, so it uses nothing from outside of itself. */
export function readShown(): Shown {
  const video = document.querySelector<HTMLVideoElement>('#video')
  if (video === null) throw new Error('this is not the player page')
  const steps = [...document.querySelectorAll<HTMLElement>('#steps > li')].map(({ dataset, lastElementChild }) => [
    dataset.step,
    { state: dataset.state, text: lastElementChild?.textContent },
  ])
  return {
    outcome: document.querySelector('#outcome')?.textContent ?? '',
    steps: Object.fromEntries(steps), // as the page has them
    seconds: video.currentTime,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    audioBytes: video.webkitAudioDecodedByteCount ?? 0,
    mediaError: video.error?.message,
  }
}
