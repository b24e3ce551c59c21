/** The way from a token request to a picture, in its order. */
const TITLES = {
  token: 'Token',
  manifest: 'Manifest',
  initData: 'Init data',
  licenceRequest: 'Licence request',
  licenceAnswer: 'Licence answer',
  keys: 'Key status',
  playback: 'Playback',
} as const

export type StepName = keyof typeof TITLES
export type StepState = 'waiting' | 'running' | 'done' | 'failed'

/** The list of steps on the page: what is shown of each is its state and a line of text. */
export class Steps {
  readonly #items: ReadonlyMap<StepName, StepItem>

  constructor(list: HTMLElement) {
    const names = Object.keys(TITLES) as StepName[] // the object's own keys
    this.#items = new Map(names.map(name => [name, new StepItem(name)]))
    list.replaceChildren(...[...this.#items.values()].map(({ element }) => element))
  }

  stateOf(name: StepName): StepState {
    return this.#items.get(name)?.state ?? 'waiting'
  }

  show(name: StepName, state: StepState, text: string): void {
    this.#items.get(name)?.show(state, text)
  }

  /** The step that was under way, or the one that is named, has failed. Returns what is shown as the reason. */
  fail(text: string, name?: StepName): string {
    const items = [...this.#items.values()]
    const failed = items.find(({ state }) => state === 'failed')
    // It says more than the error that followed from it.
    if (failed !== undefined) return failed.text
    const failing = name === undefined ? items.find(({ state }) => state !== 'done') : this.#items.get(name)
    failing?.show('failed', text)
    return text
  }

  reset(): void {
    for (const item of this.#items.values()) item.show('waiting', '')
  }
}

class StepItem {
  readonly element = document.createElement('li')
  readonly #state = document.createElement('span')
  readonly #outcome = document.createElement('p')

  constructor(name: StepName) {
    const title = document.createElement('h2')
    title.textContent = TITLES[name]
    this.element.dataset.step = name
    this.element.append(title, this.#state, this.#outcome)
    this.show('waiting', '')
  }

  get state(): StepState {
    return this.element.dataset.state as StepState // written by show alone
  }

  get text(): string {
    return this.#outcome.textContent
  }

  show(state: StepState, text: string): void {
    this.element.dataset.state = state
    this.#state.textContent = state
    this.#outcome.textContent = text
  }
}
