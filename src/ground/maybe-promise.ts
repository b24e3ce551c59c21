/** A value, or a promise of it where it has to be waited for. The token path waits for nothing that is there already. */
export type MaybePromise<T> = T | Promise<T>

/** Makes something of the value: at once, or when it is there. */
export function andThen<T, U>(value: MaybePromise<T>, make: (value: T) => U): MaybePromise<U> {
  return value instanceof Promise ? value.then(make) : make(value)
}
