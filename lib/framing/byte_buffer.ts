import { PipeError } from "../errors.ts";

const NOTHING = new Uint8Array(0);

/**
 * Bytes that come in pieces, held as one: each is copied a bounded number of times however small the
 * pieces are, and not at all where the first piece is enough. What was taken out is never written to
 * again, so it can be a view.
 */
export class ByteBuffer {
  #bytes: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;
  /** Whether the memory is its own, and no piece. */
  #own = false;
  readonly #most: number;

  /** @param most How many bytes are usually the most; memory is not taken for more in advance. */
  constructor(most: number) {
    this.#most = most;
  }

  /** How many bytes are held. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** Whether what it holds is gone: somebody has transferred the memory of a piece. */
  get isLost(): boolean {
    return this.#bytes.length < this.#end;
  }

  /** The bytes held. Throws a {@linkcode PipeError} where they are gone. */
  get view(): Uint8Array {
    if (this.isLost) throw lost();
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Adds a piece, which nobody may change from now on. */
  push(piece: Uint8Array): void {
    if (this.#end === this.#start) {
      this.#bytes = piece;
      this.#start = 0;
      this.#end = piece.length;
      this.#own = false;
      return;
    }
    if (this.isLost) throw lost();
    const end = this.#end + piece.length;
    // Behind a piece there never is room.
    if (end > this.#bytes.length) this.#move(this.size + piece.length);
    this.#bytes.set(piece, this.#end);
    this.#end += piece.length;
  }

  /** Takes so many bytes from the front. */
  take(count: number): Uint8Array {
    const start = this.#start;
    this.#start += count;
    if (this.isLost) throw lost();
    const taken = this.#bytes.subarray(start, this.#start);
    if (this.#start === this.#end) this.clear();
    return taken;
  }

  /** Lets go of the memory that the last piece may share with much else. */
  settle(): void {
    if (!this.#own && this.size > 0) this.#move(this.size);
  }

  /** Forgets everything. */
  clear(): void {
    this.#bytes = NOTHING;
    this.#start = this.#end = 0;
  }

  /** To memory of its own, with room for so many bytes and, up to a point, as many again. */
  #move(room: number): void {
    const bytes = new Uint8Array(Math.max(room, Math.min(room * 2, this.#most)));
    bytes.set(this.view);
    this.#end -= this.#start;
    this.#start = 0;
    this.#bytes = bytes;
    this.#own = true;
  }
}

function lost(): PipeError {
  return new PipeError(
    "Bytes that were not read yet went with the memory of a message that was transferred; " +
      "copy a message (slice) before you transfer it",
  );
}
