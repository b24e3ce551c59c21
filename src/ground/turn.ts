/**
 * Does the work that one turn of the event loop brings, piece after piece, once the turn has read everything. Done as each
 * piece is read, it takes twice as long: in between, the kernel and the parser evict our code from the processor's caches.
 */
export class Turn<Piece> {
  readonly #work: (piece: Piece) => void
  #pieces: Piece[] = []

  constructor(work: (piece: Piece) => void) {
    this.#work = work
  }

  add(piece: Piece): void {
    if (this.#pieces.length === 0) setImmediate(() => this.workOff())
    this.#pieces.push(piece)
  }

  /** Called early where the work must not wait for the end of the turn. */
  workOff(): void {
    const pieces = this.#pieces
    this.#pieces = []
    for (const piece of pieces) this.#work(piece)
  }
}
