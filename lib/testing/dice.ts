/** Random numbers that are the same in every run (sfc32). */
export class Dice {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  /** @param key What they are for: another key gives numbers that have nothing to do with these. */
  constructor(...key: readonly (string | number)[]) {
    const text = JSON.stringify(key);
    [this.#a, this.#b, this.#c] = [hash(text, 1), hash(text, 2), hash(text, 3)];
    for (let i = 0; i < 12; i++) this.next();
  }

  /** The next number: from 0 up to but not including 1. */
  next(): number {
    const mixed = (this.#a + this.#b | 0) + this.#count | 0;
    this.#count = this.#count + 1 | 0;
    this.#a = this.#b ^ this.#b >>> 9;
    this.#b = this.#c + (this.#c << 3) | 0;
    this.#c = (this.#c << 21 | this.#c >>> 11) + mixed | 0;
    return (mixed >>> 0) / 2 ** 32;
  }

  /** The next whole number, from 0 up to but not including `bound`. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** The next `size` bytes. */
  bytes(size: number): Uint8Array<ArrayBuffer> {
    const words = new Uint32Array(Math.ceil(size / 4));
    for (let i = 0; i < words.length; i++) words[i] = this.next() * 2 ** 32;
    return new Uint8Array(words.buffer, 0, size);
  }

  /** How many tries fail before the first that succeeds with this probability. */
  failures(probability: number): number {
    if (probability >= 1) return 0;
    // The logarithm of 1 - p, exact also where 1 - p is not.
    return Math.floor(Math.log(1 - this.next()) / Math.log1p(-probability));
  }
}

/** FNV-1a, started and finished differently for each `salt`. */
function hash(text: string, salt: number): number {
  let value = 0x811c9dc5 ^ Math.imul(salt, 0x9e3779b1);
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ value >>> 16, 0x85ebca6b);
  return value ^ value >>> 13;
}
