/** The name of a DRM that tokens are for: in the log, in metrics, among an account's options. */
export type Drm = string

/** The name of a DRM that licences are for: Clear Key has no tokens of its own, but redeems those of the others. */
export type LicenceDrm = Drm | typeof CLEAR_KEY

export const CLEAR_KEY = 'clearkey'
