const FIRST_BYTES = 1024
/** A buffer that has grown beyond this is not reused. */
const MAX_REUSED = 16 * 1024

/** Writes fields one behind the other. */
export class ByteWriter {
  #buffer = Buffer.alloc(FIRST_BYTES)
  #length = 0
  #finished = this.#buffer

  /** Forgets all that was written. */
  begin(): void {
    this.#length = 0
  }

  uint(value: number, bytes: 1 | 2 | 4 | 6): void {
    this.#room(bytes)
    this.#length = this.#buffer.writeUIntBE(value, this.#length, bytes)
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length)
    this.#buffer.set(value, this.#length)
    this.#length += value.length
  }

  hex(value: string): void {
    this.#room(value.length / 2)
    this.#length += this.#buffer.write(value, this.#length, 'hex')
  }

  /** Up to 255 bytes of UTF-8, behind their length. */
  text(value: string): void {
    this.#text(value, 1)
  }

  /** Up to 65,535 bytes of UTF-8, behind their length. */
  longText(value: string): void {
    this.#text(value, 2)
  }

  #text(value: string, lengthBytes: 1 | 2): void {
    const length = Buffer.byteLength(value)
    this.uint(length, lengthBytes)
    this.#room(length)
    this.#length += this.#buffer.write(value, this.#length, 'utf8')
  }

  /** All that was written, followed by zeros up to `atLeast` bytes, or as many steps more as it takes. */
  finish(atLeast: number, step = 1): Buffer {
    const length = atLeast + Math.max(0, Math.ceil((this.#length - atLeast) / step)) * step
    this.#room(length - this.#length)
    this.#buffer.fill(0, this.#length, length)
    if (this.#buffer.length > MAX_REUSED) return this.#release(length)
    if (this.#finished.length !== length || this.#finished.buffer !== this.#buffer.buffer)
      this.#finished = this.#buffer.subarray(0, length)
    return this.#finished
  }

  #release(length: number): Buffer {
    const finished = this.#buffer.subarray(0, length)
    this.#buffer = Buffer.alloc(FIRST_BYTES)
    this.#length = 0
    return finished
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return
    const larger = Buffer.alloc(2 * (this.#length + bytes))
    larger.set(this.#buffer)
    this.#buffer = larger
  }
}

/** Reads fields one behind the other; reading past the end is a RangeError. */
export class ByteReader {
  readonly #buffer: Buffer
  #at = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  uint(bytes: 1 | 2 | 4 | 6): number {
    return this.#take(bytes).readUIntBE(0, bytes)
  }

  bytes(length: number): Buffer {
    return Buffer.from(this.#take(length))
  }

  hex(bytes: number): string {
    return this.#take(bytes).toString('hex')
  }

  text(): string {
    return this.#take(this.uint(1)).toString('utf8')
  }

  longText(): string {
    return this.#take(this.uint(2)).toString('utf8')
  }

  oneOf<const T>(values: readonly T[]): T {
    const value = values[this.uint(1)]
    if (value === undefined) throw new RangeError('unknown value')
    return value
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#buffer.length) throw new RangeError('too short')
    this.#at += length
    return this.#buffer.subarray(this.#at - length, this.#at)
  }
}
