/** What a token can be for. A token holds the place in this list. */
export const DRMS = ['playready', 'widevine', 'fairplay'] as const
export type Drm = (typeof DRMS)[number]

/** What a licence can be for: Clear Key has no tokens of its own, but redeems those of the others. */
export type LicenceDrm = Drm | 'clearkey'
