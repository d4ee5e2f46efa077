/** Numbers and bytes that look random and are the same in every run (mulberry32). */
export class Random {
  #state: number;

  /** @param seed Another seed gives another sequence. */
  constructor(seed: number) {
    this.#state = seed;
  }

  /** The next number, a whole one from 0 up to but not including `bound`. */
  below(bound: number): number {
    this.#state = this.#state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(this.#state ^ this.#state >>> 15, this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return Math.floor(((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32 * bound);
  }

  /** The next `size` bytes. */
  bytes(size: number): Uint8Array<ArrayBuffer> {
    const words = new Uint32Array(Math.ceil(size / 4));
    let word = this.below(2 ** 32) | 1;
    for (let i = 0; i < words.length; i++) {
      // xorshift32
      word ^= word << 13;
      word ^= word >>> 17;
      word ^= word << 5;
      words[i] = word;
    }
    return new Uint8Array(words.buffer, 0, size);
  }
}
