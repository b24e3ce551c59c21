/** When an account pays for a token: when it is issued, or when it is first redeemed. */
export const CHARGES = ['issue', 'redemption'] as const
export type Charge = (typeof CHARGES)[number]

/** The outer forms of tokens, by the year since which the real service's have them. */
export const TOKEN_STYLES = ['2015', '2021'] as const
export type TokenStyle = (typeof TOKEN_STYLES)[number]
