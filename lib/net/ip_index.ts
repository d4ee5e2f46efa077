/**
 * Positions in sequences that may be longer than a number can count.
 *
 * @module
 */
import { show } from "./show.ts";

/**
 * Checks a position.
 *
 * @param index Any value.
 * @param what The argument's name, for the error.
 * @returns The position.
 * @throws {TypeError} If it is neither a number nor a bigint.
 * @throws {RangeError} If it is no whole number.
 */
export function toIndex(index: unknown, what: string): bigint {
  if (typeof index === "bigint") return index;
  if (typeof index !== "number") {
    throw new TypeError(`${what}: a number or a bigint is needed, got ${show(index)}`);
  }
  if (!Number.isSafeInteger(index)) {
    throw new RangeError(`${what}: a whole number or a bigint is needed, got ${index}`);
  }
  return BigInt(index);
}

/**
 * The bounds of a slice, as `Array.prototype.slice` has them.
 *
 * @param start Where it starts; a negative one counts from the end.
 * @param end Where it ends, exclusive; undefined: with the last one.
 * @param size How many there are.
 * @returns First position, and how many: 0 if there are none.
 */
export function toSlice(
  start: unknown,
  end: unknown,
  size: bigint,
): readonly [from: bigint, count: bigint] {
  const clamp = (at: bigint) => {
    const from = at < 0n ? at + size : at;
    return from < 0n ? 0n : from > size ? size : from;
  };
  const from = clamp(toIndex(start, "start"));
  const to = end === undefined ? size : clamp(toIndex(end, "end"));
  return [from, to > from ? to - from : 0n];
}
