import sax from 'sax'

/** An element of a document. Names are local: which prefix a client chose for a namespace does not matter here. */
export interface XmlElement {
  readonly name: string
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** Its own text, references resolved and CDATA among it; of its children see `wholeText`. */
  readonly text: string
}

/** Far more than any challenge has, and few enough to parse quickly. */
const DEEPEST = 64
const MOST_ELEMENTS = 2000
const MOST_ATTRIBUTES = 2000

/**
 * The root of a document, or `undefined` for everything that is not well-formed or too much. A document type is too
 * much: SOAP 1.1 forbids it, and custom entities are a known attack on parsers.
 */
export function parseXml(document: string): XmlElement | undefined {
  try {
    return readDocument(document)
  } catch (error) {
    if (error instanceof NoDocument) return undefined
    throw error
  }
}

/** The elements that this path of names leads to. */
export function findElements(from: XmlElement, ...[name, ...further]: string[]): readonly XmlElement[] {
  if (name === undefined) return [from]
  return from.children.filter(child => child.name === name).flatMap(child => findElements(child, ...further))
}

/** The first element of this name, at any depth, but not within those of the names in `outside`. */
export function findDescendant(from: XmlElement, name: string, outside: readonly string[]): XmlElement | undefined {
  for (const child of from.children) {
    if (outside.includes(child.name)) continue
    const found = child.name === name ? child : findDescendant(child, name, outside)
    if (found !== undefined) return found
  }
  return undefined
}

export function wholeText(element: XmlElement): string {
  return element.text + element.children.map(wholeText).join('')
}

/** All that begins so but comments and CDATA; inside of those it is refused, too, which no challenge minds. */
const DECLARATION = /<\s*!(?!--|\[CDATA\[)/

class NoDocument extends Error {}

interface OpenElement {
  readonly name: string
  readonly attributes: Map<string, string>
  readonly children: OpenElement[]
  text: string
}

function readDocument(document: string): XmlElement {
  const parser = sax.parser(true)
  const roots: OpenElement[] = []
  const open: OpenElement[] = []
  let elements = 0
  let attributes = 0

  const refuse = (reason: string): never => {
    throw new NoDocument(reason)
  }
  // Before it is parsed, because the parser takes quadratic time for a declaration that does not end.
  if (DECLARATION.test(document)) refuse('it has a document type, or another declaration')
  parser.onerror = error => refuse(error.message)
  parser.onopentagstart = ({ name }) => {
    elements += 1
    if (open.length >= DEEPEST || elements > MOST_ELEMENTS) refuse('too many elements')
    const element = { name: localName(name), attributes: new Map(), children: [], text: '' }
    const siblings = open.at(-1)?.children ?? roots
    siblings.push(element)
    open.push(element)
  }
  parser.onattribute = ({ name, value }) => {
    attributes += 1
    if (attributes > MOST_ATTRIBUTES) refuse('too many attributes')
    // The parser calls the method that this one would hide.
    if (name === 'hasOwnProperty') refuse('an attribute that no challenge has')
    open.at(-1)?.attributes.set(localName(name), value)
  }
  const addText = (text: string) => {
    const element = open.at(-1)
    if (element !== undefined) element.text += text
  }
  parser.ontext = addText
  parser.oncdata = addText
  parser.onclosetag = () => void open.pop()

  parser.write(document).close()
  const [root, ...others] = roots
  return root === undefined || others.length > 0 ? refuse('it has no one root') : root
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}
