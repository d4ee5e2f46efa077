/**
 * Ranges of IP addresses.
 *
 * @module
 */
import type { Family } from "../pipe/types.ts";
import { formatIp } from "./ip.ts";
import { toIndex, toSlice } from "./ip_index.ts";
import { type IpScope, scopeOf } from "./ip_scope.ts";
import {
  bitsOf,
  type IpRangeOptions,
  isSameSpan,
  readSpan,
  spanPrefix,
  spanText,
  toSpan,
} from "./ip_span.ts";

export type { IpRangeOptions, IpScope };

/**
 * A block of IP addresses, one address, or any other run of neighbours. It never changes.
 *
 * Text forms are one address ("10.0.0.1", "fe80::1%eth0"), a block ("10.0.0.0/8",
 * "10.0.0.0/255.0.0.0", "fe80::%eth0/64") and first to last ("10.0.0.5-10.0.0.9").
 *
 * A block is the whole block, whichever of its addresses it is written with: "10.1.2.3/8" is
 * 10.0.0.0/8. Where both matter, as for the address of a network card, keep the address as a range of
 * one beside its block.
 *
 * The zone of a link-local address is part of it: fe80::1%eth0 and fe80::1%eth1 are two addresses. A
 * range without a zone has the addresses of every zone in it; one with a zone those of this zone alone.
 *
 * @example
 * ```ts
 * import { IpRange } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const lan = new IpRange("192.168.1.0/24");
 * assertEquals(lan.size, 256n);
 * assertEquals(String(lan.at(-1)), "192.168.1.255");
 * assertEquals(String(lan.hosts), "192.168.1.1-192.168.1.254");
 * assertEquals(lan.includes("192.168.1.7"), true);
 * assertEquals(lan.scope, "private");
 * ```
 */
export class IpRange implements Iterable<IpRange> {
  /** "IPv4" or "IPv6"; v4-mapped addresses are "IPv6". */
  readonly family: Family;
  /** The first address, as a number of 32 or 128 bits. */
  readonly value: bigint;
  /** How many addresses there are: 1 to 2 ** 128. */
  readonly size: bigint;
  /** The zone of all of them, without the "%"; "" for none. */
  readonly zone: string;

  /**
   * Makes a range.
   *
   * @param address Text, or the first address as a number: then with `family`.
   * @param options How far it extends, if the text does not say it: one address by default.
   * @throws {TypeError} If an argument is of a wrong kind, or the text is no range.
   * @throws {RangeError} If a prefix is too long, a netmask has holes, a number does not fit.
   */
  constructor(address: string | bigint, options: IpRangeOptions = {}) {
    const { family, value, size, zone } = toSpan(address, options);
    this.family = family;
    this.value = value;
    this.size = size;
    this.zone = zone;
    Object.freeze(this);
  }

  /** The prefix where this is a block: 0 to 32 or 128, for one address the longest; else undefined. */
  get prefix(): number | undefined {
    return spanPrefix(this);
  }

  /** The mask where this is a block: "255.255.255.0"; else undefined. */
  get netmask(): string | undefined {
    const { family, prefix } = this;
    if (prefix === undefined) return undefined;
    const bits = bitsOf(family);
    const value = BigInt.asUintN(bits, -(1n << BigInt(bits - prefix)));
    return formatIp({ family, value, zone: "" });
  }

  /** The first address. */
  get first(): IpRange {
    return this.#part(0n, 1n);
  }

  /** The last address. */
  get last(): IpRange {
    return this.#part(this.size - 1n, 1n);
  }

  /** The address of the network where this is a block: its first one; else undefined. */
  get network(): IpRange | undefined {
    return this.prefix === undefined ? undefined : this.first;
  }

  /**
   * The address that reaches all of a network at once: the last one of an IPv4 block. IPv6 has none, and
   * a /31 or /32 has no room for it (RFC 3021).
   */
  get broadcast(): IpRange | undefined {
    const { family, prefix } = this;
    return family === "IPv4" && prefix !== undefined && prefix < 31 ? this.last : undefined;
  }

  /**
   * The addresses that a machine may have: those of an IPv4 block without network and broadcast; those
   * of an IPv6 block without its first one, which stands for the routers (RFC 4291, section 2.6.1).
   * Blocks of one or two addresses (RFC 3021, RFC 6164) and what is no block: all of it.
   */
  get hosts(): IpRange {
    if (this.prefix === undefined || this.size <= 2n) return this;
    return this.#part(1n, this.size - (this.family === "IPv4" ? 2n : 1n));
  }

  /** What kind of addresses these are; "mixed" if they are of several. v4-mapped ones count as IPv4. */
  get scope(): IpScope {
    return scopeOf(this);
  }

  /**
   * Some of the addresses. All of them are this very object: comparisons that look into every getter,
   * as `assertEquals` does, would go on for ever in one that is always a new range.
   */
  #part(from: bigint, size: bigint): IpRange {
    if (size === this.size) return this;
    const { family, zone } = this;
    return new IpRange(this.value + from, { family, size, zone });
  }

  /**
   * One of the addresses.
   *
   * @param index Its position from 0 on; a negative one counts from the end.
   * @returns The address, or undefined where there is none.
   */
  at(index: number | bigint): IpRange | undefined {
    const i = toIndex(index, "index");
    const from = i < 0n ? i + this.size : i;
    return from < 0n || from >= this.size ? undefined : this.#part(from, 1n);
  }

  /**
   * Some of the addresses, as a range; takes no time, however many they are.
   *
   * @param start The first position; a negative one counts from the end.
   * @param end The position to stop before. @default {this.size}
   * @returns The range, or undefined if no address is left.
   */
  slice(start: number | bigint = 0, end?: number | bigint): IpRange | undefined {
    const [from, count] = toSlice(start, end, this.size);
    return count === 0n ? undefined : this.#part(from, count);
  }

  /** Goes through the addresses, first to last. */
  *[Symbol.iterator](): Generator<IpRange, void, void> {
    for (let i = 0n; i < this.size; i++) yield this.#part(i, 1n);
  }

  /**
   * Goes through the addresses, last to first.
   *
   * @returns An iterator.
   */
  *reversed(): Generator<IpRange, void, void> {
    for (let i = this.size; i > 0n;) yield this.#part(--i, 1n);
  }

  /**
   * The same number of addresses, `n` addresses further on. The next block is `offset(range.size)`.
   *
   * @param n How far; negative: back.
   * @returns The moved range.
   * @throws {RangeError} If that leaves the addresses of the family.
   */
  offset(n: number | bigint): IpRange {
    const value = this.value + toIndex(n, "n");
    if (value < 0n || value + this.size > 1n << BigInt(bitsOf(this.family))) {
      throw new RangeError(`n: ${n} from ${this} there are no more addresses`);
    }
    const { family, size, zone } = this;
    return new IpRange(value, { family, size, zone });
  }

  /**
   * Whether every address of another range is one of these.
   *
   * @param other A range, or its text.
   * @returns True if it is a subset. Never true across families.
   * @throws {TypeError} If the text is no range.
   */
  includes(other: IpRange | string): boolean {
    const { family, value, size, zone } = toRange(other, "other");
    return family === this.family && (this.zone === "" || zone === this.zone) &&
      value >= this.value && value + size <= this.value + this.size;
  }

  /**
   * Whether some address is in both ranges.
   *
   * @param other A range, or its text.
   * @returns True if they have one in common. Never true across families.
   * @throws {TypeError} If the text is no range.
   */
  overlaps(other: IpRange | string): boolean {
    const { family, value, size, zone } = toRange(other, "other");
    return family === this.family && (this.zone === "" || zone === "" || zone === this.zone) &&
      value < this.value + this.size && this.value < value + size;
  }

  /**
   * Whether this is the same range: family, addresses and zone.
   *
   * @param other A range, or its text.
   * @returns True if it is.
   * @throws {TypeError} If the text is no range.
   */
  equals(other: IpRange | string): boolean {
    return isSameSpan(this, toRange(other, "other"));
  }

  /**
   * The text of the range, canonical: "10.0.0.0/8", "10.0.0.1" or "10.0.0.5-10.0.0.9".
   *
   * @returns What the constructor takes back.
   */
  toString(): string {
    return spanText(this);
  }

  /**
   * The same text, for `JSON.stringify`.
   *
   * @returns What the constructor takes back.
   */
  toJSON(): string {
    return spanText(this);
  }

  static {
    Object.defineProperty(this.prototype, Symbol.for("Deno.customInspect"), {
      value(this: IpRange): string {
        return `IpRange("${spanText(this)}")`;
      },
    });
  }
}

/**
 * A range as a caller writes it.
 *
 * @param range A range, or its text.
 * @param what The argument's name, for the error.
 * @returns The range.
 * @throws {TypeError} If it is none.
 * @throws {RangeError} If its prefix or mask is wrong.
 */
export function toRange(range: unknown, what: string): IpRange {
  if (range instanceof IpRange) return range;
  const { family, value, size, zone } = readSpan(range, what);
  return new IpRange(value, { family, size, zone });
}
