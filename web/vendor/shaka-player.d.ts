import type shaka from 'shaka-player/dist/shaka-player.compiled-es2021.js'

declare global {
  interface Window {
    /** It is no module: it puts itself here when it is loaded. */
    readonly shaka: typeof shaka
  }
}
