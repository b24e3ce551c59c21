/** What a player is told to do. */
export interface Assignment {
  readonly video: HTMLVideoElement
  readonly manifestUrl: string
  /** With the token in it. */
  readonly licenceUrl: string
}

/** Who is told of each step that a player takes. */
export interface Witness {
  manifestLoaded(): void
  /** A player may have found another URL in the manifest than the one that it was given. */
  licenceRequested(url: string, body: string): void
  /** Status 0 is an answer that the page may not read, or none at all. */
  licenceAnswered(status: number, body: string): void
  /** By KID, as the browser's decryption module sees them. */
  keysChanged(statuses: ReadonlyMap<string, string>): void
  failed(text: string): void
}

export interface Playing {
  stop(): Promise<void>
}

/** Starts to play, and resolves as soon as it can be stopped. */
export type StartPlayer = (assignment: Assignment, witness: Witness) => Promise<Playing>

export const CLEAR_KEY = 'org.w3.clearkey'
