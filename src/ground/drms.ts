/** The name of a DRM that tokens are for: in the log, in metrics, among an account's options. */
export type Drm = string

/** The DRMs that tokens are issued for (`src/drm/families.ts`), and for which each account has an option. */
export const DRM_TITLES = {
  playready: 'PlayReady',
  widevine: 'Widevine',
  fairplay: 'FairPlay',
  marlin: 'Marlin',
} as const
export type TokenDrm = keyof typeof DRM_TITLES
// Object.keys says less than it knows.
export const TOKEN_DRMS = Object.keys(DRM_TITLES) as [TokenDrm, ...TokenDrm[]]

/** An account's options: whether it has tokens of a DRM, and whether its FairPlay tokens may be bound to a device. */
export const DRM_OPTIONS = [...TOKEN_DRMS, 'fairplayDeviceBinding'] as const
export type DrmOption = (typeof DRM_OPTIONS)[number]

/** One value for each option. */
export function byDrm<T>(toValue: (drm: DrmOption) => T): Record<DrmOption, T> {
  // The names are the very ones of the type.
  return Object.fromEntries(DRM_OPTIONS.map(drm => [drm, toValue(drm)])) as Record<DrmOption, T>
}

/** The name of a DRM that licences are for: Clear Key has no tokens of its own, but redeems those of the others. */
export type LicenceDrm = Drm | typeof CLEAR_KEY

export const CLEAR_KEY = 'clearkey'

/** In place of a KID, for a DRM where it is optional: the key is for any KID. */
export const NO_KID = ''
