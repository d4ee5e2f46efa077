/** Messages that say which one they are, so that one lost, changed or out of order is told from the rest. */

/** The size of each, in bytes: what most of the figures are about. */
export const SIZE = 64;
const WORDS = SIZE / 4;

/** The messages of one connection in a row, each written over the one before. */
export class Numbered {
  /** The current message, as it is to be sent. */
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(SIZE);
  readonly #words = new Uint32Array(this.bytes.buffer);
  readonly #got: Uint32Array;
  readonly #who: number;
  #number = 0;

  /**
   * @param who The number of the connection.
   * @param got Where what comes back is read into: {@linkcode SIZE} bytes.
   */
  constructor(who: number, got: Uint8Array<ArrayBuffer>) {
    this.#who = who;
    this.#got = new Uint32Array(got.buffer, got.byteOffset, WORDS);
  }

  /** Goes on to the next message. */
  next(): void {
    const words = this.#words;
    words[0] = this.#who;
    words[1] = ++this.#number;
    let mixed = Math.imul(this.#who, 0x9e3779b1) ^ Math.imul(this.#number, 0x85ebca6b);
    for (let i = 2; i < WORDS; i++) {
      // xorshift32
      mixed ^= mixed << 13;
      mixed ^= mixed >>> 17;
      mixed ^= mixed << 5;
      words[i] = mixed;
    }
  }

  /** Throws unless what came back is the current message. */
  check(): void {
    const words = this.#words, got = this.#got;
    for (let i = 0; i < WORDS; i++) {
      if (words[i] === got[i]) continue;
      throw new Error(
        `connection ${this.#who}: sent message ${this.#number}, got message ${got[1]} of ` +
          `connection ${got[0]}, which differ from word ${i} on`,
      );
    }
  }
}
