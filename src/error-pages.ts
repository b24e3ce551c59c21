/** What a reader of an HTML page sees, in one line. In one pass, because others write these pages. */
export function textOfPage(html: string): string {
  const [start = '', ...pieces] = html.split('<')
  const seen = [start]
  let hiddenUntil: string | undefined
  for (const piece of pieces) {
    const end = piece.indexOf('>')
    const name = /^\/?[a-z]*/i.exec(piece)?.[0].toLowerCase() ?? ''
    if (name === hiddenUntil) hiddenUntil = undefined
    else if (hiddenUntil === undefined && NOT_SHOWN.has(name)) hiddenUntil = `/${name}`
    if (hiddenUntil === undefined) seen.push(piece.slice(end + 1))
  }
  return seen.join(' ').replace(/\s+/g, ' ').trim()
}

const NOT_SHOWN: ReadonlySet<string> = new Set(['head', 'style', 'script'])

/** A documented code, wherever it stands in a text. */
export function codeInText(text: string): number | undefined {
  const [code] = /(?<![\w-])-\d{4}\b/.exec(text) ?? []
  return code === undefined ? undefined : Number(code)
}
