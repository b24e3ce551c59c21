import { catalogueJsonSchema } from '../../schemas/catalogue.js'
import { BrokenCatalogue } from '../entitlement/catalogue/faults.js'
import { readCatalogueFile } from '../entitlement/catalogue/file.js'
import type { CommandContext } from './command-context.js'

/** Prints the size of a catalogue, or everything that is wrong with it. The exit code: 0 valid, 1 invalid. */
export async function checkCatalogue(path: string, { stdout, stderr }: CommandContext): Promise<number> {
  try {
    const { contents, policies } = await readCatalogueFile(path)
    stdout.write(`OK: contents: ${contents.size}, named policies: ${policies}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof BrokenCatalogue)) throw error
    stderr.write(error.faults.map(fault => `${fault}\n`).join(''))
    return 1
  }
}

export function printCatalogueSchema({ stdout }: CommandContext): void {
  stdout.write(`${JSON.stringify(catalogueJsonSchema(), null, 2)}\n`)
}
