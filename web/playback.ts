import { countOf } from './wording.js'

declare global {
  interface HTMLVideoElement {
    /** Chromium and Safari count it; there is no standard for it. */
    readonly webkitAudioDecodedByteCount?: number
  }
}

/** What was really decoded. The clock alone proves nothing: it may run with a black picture. */
export interface Decoded {
  readonly seconds: number
  readonly frames: number
  readonly dropped: number
  /** `undefined` where the browser does not tell. */
  readonly audioBytes: number | undefined
}

export function decodedBy(video: HTMLVideoElement): Decoded {
  const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality()
  return {
    seconds: video.currentTime,
    frames: totalVideoFrames,
    dropped: droppedVideoFrames,
    audioBytes: video.webkitAudioDecodedByteCount,
  }
}

export function describeDecoded({ seconds, frames, dropped, audioBytes }: Decoded): string {
  const audio = audioBytes === undefined ? 'audio bytes not told' : countOf(audioBytes, 'audio byte')
  return `${seconds.toFixed(1)} s · ${countOf(frames, 'frame')} decoded, ${dropped} dropped · ${audio}`
}
