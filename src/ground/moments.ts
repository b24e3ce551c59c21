/** A moment as people and other programs read it. */
export function rfc3339(moment: number): string {
  return new Date(moment).toISOString()
}
