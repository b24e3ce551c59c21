/**
 * Does the work that one turn of the event loop brings, all of it once the turn has read everything. Done as each piece is
 * read, a token takes half as long again: in between, the kernel and the parser evict our code from the processor's caches.
 * The work must not throw: the rest of the turn would be lost.
 */
export class Turn<Piece> {
  readonly #work: (piece: Piece) => void
  #pieces: Piece[] = []

  constructor(work: (piece: Piece) => void) {
    this.#work = work
  }

  add(piece: Piece): void {
    if (this.#pieces.length === 0) setImmediate(() => this.runNow())
    this.#pieces.push(piece)
  }

  /** Also called before the end of the turn, where the work must not wait for it. */
  runNow(): void {
    const pieces = this.#pieces
    this.#pieces = []
    for (const piece of pieces) this.#work(piece)
  }
}
