import type { Refusal } from '../errors/public-error.js'

type ShownError = Omit<Refusal, 'status'> & { readonly requestId: string }

/** The HTML form of an error. Everything that may have come from the request is escaped. */
export function errorPage({ code, message, parameter, requestId }: ShownError): string {
  const rows = [
    ['Error code', String(code)],
    ['Message', message],
    ...(parameter === undefined ? [] : [['Parameter', parameter]]),
    ['Request id', requestId],
  ]
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Error ${code}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:3rem}dt{color:#666}dd{margin:0 0 1rem;overflow-wrap:anywhere}</style></head>
<body><h1>Error ${code}</h1><dl>
${rows.map(([name = '', value = '']) => `<dt>${name}</dt><dd>${escaped(value)}</dd>`).join('\n')}
</dl></body>
</html>
`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, character => ENTITIES[character] ?? '')
}
