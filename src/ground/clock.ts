/** The time, in milliseconds since 1970. It is passed in, so that a test decides what time it is. */
export type Now = () => number
