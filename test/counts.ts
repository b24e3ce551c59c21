/** LONG=true, which `npm run test:long` and `npm run test:all` set, repeats what is generated or killed often enough to find what is rare. */
export const isLong = process.env.LONG === 'true'

/** How often something is repeated: `usual` in `npm test`, `long` in `npm run test:long`. */
export function repetitions({ usual, long }: { usual: number; long: number }): number {
  return isLong ? long : usual
}
