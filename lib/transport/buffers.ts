/**
 * Owned copies of what was received, cheaply: messages are small, and an allocation for each of them
 * costs several times what copying its bytes into a shared slab does.
 *
 * @module
 */

/** From this size on a message gets memory of its own. */
export const LARGE = 16 * 1024;

/**
 * Slabs start small, for connections that say little, and grow as long as one does not last for a
 * while. Most stop there: those of many connections would not fit into the processor's cache. The last
 * is for the few that need one every moment, and for messages of which most hold one or two.
 */
const FIRST = 512, MOST = 16 * 1024, LAST = 64 * 1024;

/** How long a slab should last, when it may be of the last size, and when the first would do. Milliseconds. */
const SHORT = 1000, MOMENT = 20, LONG = 10_000;

const NONE = new ArrayBuffer(0);

/**
 * The memory for the small messages of one connection or socket. Each has its own, so that whoever
 * transfers or looks around in the `buffer` of a message meets other messages of that peer at most.
 */
export class Slab {
  #memory = NONE;
  #used = 0;
  #next = FIRST;
  /** When it was made. */
  #since = 0;

  /**
   * A copy that belongs to whoever receives it: no later read changes it.
   *
   * @param view The bytes, in a buffer that is going to be used again.
   * @returns The same bytes elsewhere; a plain `Uint8Array`, also where a Node Buffer was given.
   */
  keep(view: Uint8Array): Uint8Array {
    const size = view.length;
    // An empty one, too: nothing would tell that the slab it is in was transferred.
    if (size >= LARGE || size === 0) return new Uint8Array(view);
    // A slab that somebody transferred has length 0.
    if (this.#used + size > this.#memory.byteLength) this.#replace(size);
    // Of the memory and not of a view of it, which would be one object more to be fetched.
    const copy = new Uint8Array(this.#memory, this.#used, size);
    copy.set(view);
    // Aligned, so that a message can be viewed as 64-bit numbers.
    this.#used = (this.#used + size + 7) & ~7;
    return copy;
  }

  #replace(least: number): void {
    const now = performance.now(), lasted = now - this.#since;
    this.#since = now;
    if (lasted < SHORT) this.#next = Math.min(this.#next * 2, lasted < MOMENT ? LAST : MOST);
    else if (lasted > LONG) this.#next = FIRST;
    while (this.#next < least) this.#next *= 2;
    this.#memory = new ArrayBuffer(this.#next);
    this.#used = 0;
  }
}
