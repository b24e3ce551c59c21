/** How long an authenticator may stay valid after it has been replaced, at most: a year, in seconds. */
export const LONGEST_OVERLAP = 31_536_000
