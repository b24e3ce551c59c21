import { element } from './elements.js'
import { readParameters } from './token.js'

/** What the form asks for. */
export interface Wish {
  readonly manifestUrl: string
  readonly licenceUrl: string
  readonly player: string
  /** A token request to be made, or a token that is there. */
  readonly source: 'ask' | 'paste'
  readonly text: string
  /** Of the DRM that the token is asked for. */
  readonly tokenPath: string
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
    tokenPath: field('tokenPath'),
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
  const response = await fetch(new URL('player/samples', base))
  offerSamples(response.ok ? await response.json() : [])
}

/** A token request of one DRM that works at this server. */
interface Sample {
  readonly title: string
  readonly tokenPath: string
  readonly parameters: Readonly<Record<string, string>>
}

/** Another DRM has other parameters; what both have keeps the value that the person gave it. */
function offerSamples(samples: readonly Sample[]): void {
  const drm = element('drm', HTMLSelectElement)
  const parameters = element('parameters', HTMLTextAreaElement)
  drm.replaceChildren(...samples.map(({ title, tokenPath }) => new Option(title, tokenPath)))
  const linesOf = (own = new URLSearchParams()) => {
    const sample = samples.find(({ tokenPath }) => tokenPath === drm.value)?.parameters ?? {}
    const lines = Object.entries(sample).map(([name, value]) => `${name}=${own.get(name) ?? value}`)
    return lines.join('\n')
  }
  fill(parameters, linesOf())
  drm.addEventListener('change', () => {
    parameters.value = linesOf(readParameters(parameters.value))
  })
}

function fill(field: HTMLInputElement | HTMLTextAreaElement, value: string): void {
  if (field.value === '') field.value = value
}
