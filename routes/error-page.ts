import type { ErrorAnswer } from '../schemas/answers.js'

/** The HTML form of an error. Everything that may have come from the request is escaped. */
export function errorPage({ errorCode, errorMessage, parameter, requestId }: ErrorAnswer): string {
  const rows = [
    ['Error code', String(errorCode)],
    ['Message', errorMessage],
    ...(parameter === undefined ? [] : [['Parameter', parameter]]),
    ['Request id', requestId],
  ]
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Error ${errorCode}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:3rem}dt{color:#666}dd{margin:0 0 1rem;overflow-wrap:anywhere}</style></head>
<body><h1>Error ${errorCode}</h1><dl>
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
