import { element } from './elements.js'

/** What the form asks for. */
export interface Wish {
  readonly manifestUrl: string
  readonly licenceUrl: string
  readonly player: string
  /** A token request to be made, or a token that is there. */
  readonly source: 'ask' | 'paste'
  readonly text: string
}

export function readForm(form: HTMLFormElement): Wish {
  const data = new FormData(form)
  const field = (name: string) => String(data.get(name) ?? '')
  const source = field('source') === 'paste' ? 'paste' : 'ask'
  return {
    manifestUrl: field('manifest'),
    licenceUrl: field('licenceUrl'),
    player: field('player'),
    source,
    text: field(source === 'paste' ? 'pasted' : 'parameters'),
  }
}

/** Fills in what works at this server, as far as the person has written nothing yet. */
export async function prefill(base: URL): Promise<void> {
  const manifest = element('manifest', HTMLInputElement)
  fill(element('licence-url', HTMLInputElement), new URL('hms/ck/rights/', base).href)
  for (const pick of document.querySelectorAll<HTMLButtonElement>('[data-manifest]')) {
    const url = new URL(pick.dataset.manifest ?? '', base).href
    fill(manifest, url)
    pick.addEventListener('click', () => {
      manifest.value = url
    })
  }
  const response = await fetch(new URL('player/sample', base))
  const sample: Record<string, string> = response.ok ? await response.json() : {}
  const lines = Object.entries(sample).map(([name, value]) => `${name}=${value}`)
  fill(element('parameters', HTMLTextAreaElement), lines.join('\n'))
}

function fill(field: HTMLInputElement | HTMLTextAreaElement, value: string): void {
  if (field.value === '') field.value = value
}
