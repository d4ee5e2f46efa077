import { LARGE, Slab } from "./buffers.ts";

/** Read buffers start small, so that idle connections are cheap, and grow when reads fill them. */
const FIRST = 2 * 1024, LAST = 64 * 1024, GROWTH = 4;

/** What a relay reads into: one that forwards whole buffers gains by longer ones, others lose. */
const RELAY = 256 * 1024;

/** After so many that do not come back it is no relay any more. */
const KEPT = 8;

/** How many that came back are held: so many do between two reads when what was queued is written. */
const SPARES = 2;

/**
 * What one connection reads into. Never memory that somebody else may have: a message's could be
 * transferred while a read writes to it.
 */
export class ReadBuffer extends Slab {
  #bytes = new Uint8Array(FIRST);
  /** Its first bytes, as many as came last: the next message is often as long. */
  #head: Uint8Array = this.#bytes;
  #largest = LAST;
  /** Buffers of this size that came back; made when needed. */
  #spares: Uint8Array<ArrayBuffer>[] | undefined;
  /** How many were given away since one came back from a relay. */
  #kept = 0;

  /** Where to read to. */
  get bytes(): Uint8Array {
    // Somebody kept what he was lent, and has transferred it.
    if (this.#bytes.length === 0) this.#use(new Uint8Array(FIRST));
    return this.#bytes;
  }

  /**
   * What was read, for keeps unless it is given back.
   *
   * @param count The bytes that were read, at the start of the buffer; more than 0.
   * @returns The same bytes; no later read changes them before `recycle`.
   */
  take(count: number): Uint8Array {
    const bytes = this.#bytes, size = bytes.length;
    if (size === 0) throw new TypeError("a message that was only lent was kept and transferred");
    if (count === size && size < this.#largest) {
      this.#spares = undefined; // too small by now
      this.#use(new Uint8Array(Math.min(size * GROWTH, this.#largest)));
    } else if (count >= LARGE && count * 2 < size && this.#largest !== RELAY) {
      // Whoever keeps it should not keep several times as much.
      return bytes.slice(0, count);
    } else if (count >= LARGE) {
      if (++this.#kept > KEPT && this.#largest === RELAY) this.#noRelay();
      this.#use(this.#spare() ?? new Uint8Array(Math.min(size, this.#largest)));
    }
    if (count >= LARGE) return count === size ? bytes : bytes.subarray(0, count);
    if (bytes !== this.#bytes) return this.keep(bytes);
    if (this.#head.length !== count) this.#head = bytes.subarray(0, count);
    return this.keep(this.#head);
  }

  /**
   * Takes back what `take` gave.
   *
   * @param data The bytes.
   * @param relayed See `Transport.recycle`.
   */
  recycle(data: Uint8Array, relayed: boolean): void {
    const { buffer, length } = data;
    if (relayed) {
      this.#largest = RELAY;
      this.#kept = 0;
    }
    // A read buffer, and not a slab: nothing that long is ever in one.
    if (length < LARGE || buffer.byteLength !== this.#bytes.length) return;
    const spares = this.#spares ??= [];
    if (buffer instanceof ArrayBuffer && spares.length < SPARES) {
      spares.push(new Uint8Array(buffer));
    }
  }

  #noRelay(): void {
    this.#largest = LAST;
    this.#spares = undefined; // too big by now
  }

  /** One that nobody has transferred since. */
  #spare(): Uint8Array<ArrayBuffer> | undefined {
    let spare = this.#spares?.pop();
    while (spare?.length === 0) spare = this.#spares?.pop();
    return spare;
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = this.#head = bytes;
  }
}
