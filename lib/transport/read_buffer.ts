import { LARGE, Slab } from "./buffers.ts";

/** Read buffers start small, so that idle connections are cheap, and grow when reads fill them. */
const FIRST = 2 * 1024, LAST = 64 * 1024, GROWTH = 4;

/** What a relay reads into: one that forwards whole buffers gains by longer ones, others lose. */
const RELAY = 256 * 1024;

/** How many of them are kept: so many come back between two reads when what was queued is written. */
const SPARES = 2;

/**
 * What one connection reads into. Never memory that somebody else has: a message's could be transferred
 * while a read writes to it.
 */
export class ReadBuffer extends Slab {
  #bytes = new Uint8Array(FIRST);
  /** Its first bytes, as many as came last: the next message is often as long. */
  #head: Uint8Array = this.#bytes;
  #largest = LAST;
  /** Buffers of this size that came back; made when needed. */
  #spares: Uint8Array<ArrayBuffer>[] | undefined;

  /** Where to read to. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /**
   * What was read, for keeps.
   *
   * @param count The bytes that were read, at the start of the buffer; more than 0.
   * @returns The same bytes; no later read changes them.
   */
  take(count: number): Uint8Array {
    const bytes = this.#bytes, size = bytes.length;
    if (count === size && size < this.#largest) {
      this.#spares = undefined; // too small by now
      this.#use(new Uint8Array(Math.min(size * GROWTH, this.#largest)));
    } else if (count >= LARGE && count * 2 < size && this.#largest !== RELAY) {
      // Whoever keeps it should not keep several times as much.
      return bytes.slice(0, count);
    } else if (count >= LARGE) {
      this.#use(this.#spares?.pop() ?? new Uint8Array(size));
    }
    if (count >= LARGE) return count === size ? bytes : bytes.subarray(0, count);
    if (bytes !== this.#bytes) return this.keep(bytes);
    if (this.#head.length !== count) this.#head = bytes.subarray(0, count);
    return this.keep(this.#head);
  }

  /**
   * Takes back what `take` gave.
   *
   * @param data The bytes, which nobody else has seen.
   * @param forwarded See `Transport.recycle`.
   */
  recycle(data: Uint8Array, forwarded: boolean): void {
    const { buffer, length } = data;
    if (forwarded) this.#largest = RELAY;
    // A read buffer, and not a slab: nothing that long is ever in one.
    if (length < LARGE || buffer.byteLength !== this.#bytes.length) return;
    const spares = this.#spares ??= [];
    if (buffer instanceof ArrayBuffer && spares.length < SPARES) {
      spares.push(new Uint8Array(buffer));
    }
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = this.#head = bytes;
  }
}
