/**
 * Owned copies of what was received, cheaply: messages are small, and an allocation for each of them
 * costs several times what copying its bytes into a shared slab does.
 *
 * @module
 */

/** From this size on a message gets memory of its own. */
export const LARGE = 16 * 1024;

const SLAB = 64 * 1024;

let slab = new Uint8Array(SLAB);
let used = 0;

/**
 * A copy that belongs to whoever receives it: no later read changes it. Small ones are views on a
 * slab shared by many, so their `buffer` is not theirs alone to transfer.
 *
 * @param view The bytes, in a buffer that is going to be used again.
 * @returns The same bytes elsewhere; a plain `Uint8Array`, also where a Node Buffer was given.
 */
export function keep(view: Uint8Array): Uint8Array {
  const size = view.length;
  if (size >= LARGE) return new Uint8Array(view);
  // A slab that somebody transferred has length 0.
  if (used + size > slab.length) {
    slab = new Uint8Array(SLAB);
    used = 0;
  }
  slab.set(view, used);
  const copy = slab.subarray(used, used + size);
  // Aligned, so that a message can be viewed as 64-bit numbers.
  used = (used + size + 7) & ~7;
  return copy;
}
