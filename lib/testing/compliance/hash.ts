/** A checksum of bytes that come in pieces; where they are cut makes no difference (FNV-1a, 32 bits). */
export class Hash {
  #value = 0x811c9dc5;
  #size = 0;

  /** Adds bytes. */
  update(data: Uint8Array): this {
    let value = this.#value;
    for (let i = 0; i < data.length; i++) value = Math.imul(value ^ (data[i] ?? 0), 0x01000193);
    this.#value = value;
    this.#size += data.length;
    return this;
  }

  /** Number of bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Size and checksum, to compare and to read in a failure. */
  get digest(): string {
    return `${this.#size}:${(this.#value >>> 0).toString(16).padStart(8, "0")}`;
  }
}

/** The digest of all pieces together. */
export function digestOf(...pieces: Uint8Array[]): string {
  const hash = new Hash();
  for (const piece of pieces) hash.update(piece);
  return hash.digest;
}
