import type { Finding, Outcome } from './test-process.js'

const PROGRESS_EVERY_MS = 30_000
/** Of what a failed file printed. */
const LONGEST_OUTPUT = 8000

/** What the runner prints, in plain lines: how far it is, what failed, and the counts. */
export class Report {
  /** Seconds by file. */
  readonly times = new Map<string, number>()
  readonly #begin = performance.now()
  readonly #running = new Set<string>()
  readonly #failures: Outcome[] = []
  readonly #skipped: Finding[] = []
  readonly #progress = setInterval(() => this.note(this.#howFar()), PROGRESS_EVERY_MS)
  #filesSkipped = 0
  #passed = 0
  #failed = 0

  constructor(private readonly files: number) {}

  note(text: string): void {
    print(`${this.#clock()}  ${text}`)
  }

  start(file: string): void {
    this.#running.add(file)
  }

  end(outcome: Outcome): void {
    this.#running.delete(outcome.file)
    this.times.set(outcome.file, outcome.seconds)
    this.#passed += outcome.passed
    this.#failed += outcome.failed.length
    this.#skipped.push(...outcome.skipped)
    if (outcome.failed.length > 0) this.#failures.push(outcome)
  }

  /** A file that is not run. */
  skip(file: string, reason: string): void {
    this.#filesSkipped += 1
    this.#skipped.push({ name: file, details: reason })
  }

  printTimes(): void {
    for (const [file, seconds] of [...this.times].sort(([, one], [, other]) => other - one))
      print(`${seconds.toFixed(1).padStart(7)} s  ${file}`)
  }

  /** Prints what failed and the counts; answers whether all is well. */
  close(): boolean {
    clearInterval(this.#progress)
    for (const failure of this.#failures) printFailure(failure)
    for (const { name, details } of this.#skipped) print(`skipped  ${name}: ${details}`)
    this.note(`${this.times.size} files`)
    const isComplete = this.times.size + this.#filesSkipped === this.files
    if (!isComplete) print('The run was not completed.')

    const skipped = this.#skipped.length
    const failed = this.#failed + (mustNotSkip() ? skipped : 0) + (this.#passed === 0 && skipped === 0 ? 1 : 0)
    if (mustNotSkip() && skipped > 0) print('With CI=true what is skipped has failed.')
    const counts = [`${this.#passed} passed`, `${failed} failed`]
    if (skipped > 0 && !mustNotSkip()) counts.push(`${skipped} skipped`)
    print(counts.join(', '))
    return failed === 0 && isComplete
  }

  #howFar(): string {
    const counts = `${this.times.size} of ${this.files} files, ${this.#passed} passed, ${this.#failed} failed`
    return `${counts}; running ${[...this.#running].join(', ')}`
  }

  #clock(): string {
    const seconds = Math.round((performance.now() - this.#begin) / 1000)
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  }
}

function mustNotSkip(): boolean {
  return process.env.CI === 'true'
}

function printFailure({ file, failed, output }: Outcome): void {
  for (const { name, details } of failed) print(`\nFAILED  ${name}\n${indented(details)}`)
  if (output.trim() !== '') print(`\n${file} printed\n${indented(output.slice(-LONGEST_OUTPUT))}`)
  print('')
}

function indented(text: string): string {
  return text.trimEnd().replace(/^/gm, '  | ')
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
