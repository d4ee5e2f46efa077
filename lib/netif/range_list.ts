/**
 * Lists of addresses, as routes have them.
 *
 * @module
 */
import { IpRange, toRange } from "../net/ip_range.ts";
import { show } from "../net/show.ts";
import type { Family } from "../pipe/types.ts";

/**
 * Checks the addresses of a route.
 *
 * @param value Any value.
 * @param family What all of them must be.
 * @param what The argument's name, for the error.
 * @returns The ranges, in a new frozen array.
 * @throws {TypeError} If it is no array, or an element is no range.
 * @throws {RangeError} If one is of the other family.
 */
export function checkRanges(value: unknown, family: Family, what: string): readonly IpRange[] {
  if (!Array.isArray(value)) {
    throw new TypeError(`${what}: an array of IpRange or text is needed, got ${show(value)}`);
  }
  const list: readonly unknown[] = value;
  const ranges = Array.from(list, (range, i) => toRange(range, `${what}[${i}]`));
  for (const [i, range] of ranges.entries()) {
    if (range.family !== family) {
      throw new RangeError(`${what}[${i}]: ${family} is needed, got ${range}`);
    }
  }
  return Object.freeze(ranges);
}

/**
 * A text that is equal for equal sets of addresses.
 *
 * @param ranges The addresses.
 * @returns Them in the order of their value, joined where they touch.
 */
export function setText(ranges: readonly IpRange[]): string {
  const joined: IpRange[] = [];
  const order = (a: IpRange, b: IpRange) => a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
  for (const range of [...ranges].sort((a, b) => compare(a.zone, b.zone) || order(a, b))) {
    const last = joined.at(-1);
    if (!last || last.zone !== range.zone || range.value > last.value + last.size) {
      joined.push(range);
      continue;
    }
    const end = range.value + range.size, size = end - last.value;
    const { family, zone, value } = last;
    if (size > last.size) joined[joined.length - 1] = new IpRange(value, { family, zone, size });
  }
  return joined.join();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The first few ranges, for a message.
 *
 * @param ranges The ranges.
 * @returns Their texts.
 */
export function shortList(ranges: readonly IpRange[]): string {
  return ranges.slice(0, 4).join(", ") + (ranges.length > 4 ? ", …" : "");
}
