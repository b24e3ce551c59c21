/** What a request changes of the published sample: replace, leave out, or give more than once. */
export type Change = Readonly<Record<string, string | null | readonly string[]>>

/** A request's parameters, as a form or a query. */
export function changed(sample: Readonly<Record<string, string>>, change: Change): URLSearchParams {
  const parameters = new URLSearchParams(sample)
  for (const [name, value] of Object.entries(change)) {
    parameters.delete(name)
    for (const one of value === null ? [] : [value].flat()) parameters.append(name, one)
  }
  return parameters
}
