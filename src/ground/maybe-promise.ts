/** A value, or a promise of it where it has to be waited for. On the path of a token nothing waits that is there. */
export type MaybePromise<T> = T | Promise<T>

/** What a function makes of the value, at once or when it is there. */
export function andThen<T, U>(value: MaybePromise<T>, make: (value: T) => U): MaybePromise<U> {
  return value instanceof Promise ? value.then(make) : make(value)
}
