/**
 * Who may talk to a pipe: lists of addresses to let in and to keep out.
 *
 * @module
 */
import type { Family } from "../pipe/types.ts";
import { type Ip, parseIp, unmapIp } from "./ip.ts";
import { type IpRange, toRange } from "./ip_range.ts";
import type { Span } from "./ip_span.ts";
import { show } from "./show.ts";

/** Verdicts remembered; a peer that goes on talking is looked up once. */
const MOST_VERDICTS = 1024;

/**
 * Checks a list of ranges.
 *
 * @param value An array of ranges or of their texts.
 * @param what The argument's name, for the error.
 * @returns The ranges, in a new frozen array.
 * @throws {TypeError} If it is no array, or an element is no range; the message says which one.
 * @throws {RangeError} If a prefix or mask is wrong.
 */
export function parseRanges(value: unknown, what: string): readonly IpRange[] {
  if (!Array.isArray(value)) {
    throw new TypeError(`${what}: an array of IpRange or text is needed, got ${show(value)}`);
  }
  const list: readonly unknown[] = value;
  // not map(), which skips holes
  return Object.freeze(Array.from(list, (range, i) => toRange(range, `${what}[${i}]`)));
}

/** The addresses of ranges without a gap or overlap between two of them, sorted. */
class Intervals {
  readonly #starts: bigint[] = [];
  readonly #ends: bigint[] = [];

  constructor(spans: Iterable<Span>) {
    for (const { value, size } of [...spans].sort((a, b) => a.value < b.value ? -1 : 1)) {
      const end = value + size, top = this.#ends.length - 1, before = this.#ends[top];
      if (before === undefined || value > before) {
        this.#starts.push(value);
        this.#ends.push(end);
      } else if (end > before) this.#ends[top] = end;
    }
  }

  has(value: bigint): boolean {
    let low = 0, high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] ?? 0n) <= value) low = middle + 1;
      else high = middle;
    }
    return low > 0 && value < (this.#ends[low - 1] ?? 0n);
  }
}

const MAPPED_FIRST = 0xffffn << 32n, MAPPED_END = 0x1_0000n << 32n;

/** As peers are shown: a range of v4-mapped addresses becomes one of IPv4. */
function unmapSpan(span: Span): Span {
  const { family, value, size } = span;
  if (family === "IPv4" || value < MAPPED_FIRST || value + size > MAPPED_END) return span;
  return { family: "IPv4", value: value - MAPPED_FIRST, size, zone: "" };
}

/** A list, ready for look-ups. */
class Matcher {
  /** By family and zone; "" are the ranges without a zone. */
  readonly #zoned = new Map<string, Intervals>();
  /** The ranges of a family, whatever their zone. */
  readonly #all: Readonly<Record<Family, Intervals>>;

  constructor(ranges: readonly IpRange[]) {
    const spans = ranges.map(unmapSpan);
    const groups = Map.groupBy(spans, ({ family, zone }) => `${family}%${zone}`);
    for (const [key, group] of groups) this.#zoned.set(key, new Intervals(group));
    const of = (family: Family) => new Intervals(spans.filter((span) => span.family === family));
    this.#all = { IPv4: of("IPv4"), IPv6: of("IPv6") };
  }

  /** Whether the address is surely in a range. */
  includes({ family, value, zone }: Ip): boolean {
    if (this.#zoned.get(`${family}%`)?.has(value) === true) return true;
    return zone !== "" && this.#zoned.get(`${family}%${zone}`)?.has(value) === true;
  }

  /** Whether the address may be in a range: without a zone it may be of any. */
  overlaps(ip: Ip): boolean {
    return ip.zone === "" ? this.#all[ip.family].has(ip.value) : this.includes(ip);
  }
}

/**
 * Decides by address. A deny list wins over an allow list; with an allow list only those in it get in.
 * v4-mapped addresses are taken as IPv4, in the lists too. Where a list names a zone and an address has
 * none, it is denied and not allowed.
 */
export class IpRules {
  readonly #allow: Matcher | null;
  readonly #deny: Matcher | null;
  readonly #verdicts = new Map<string, boolean>();

  /**
   * Prepares the lists, so that asking takes the logarithm of their length.
   *
   * @param allow Who gets in; null: everybody. An empty list: nobody.
   * @param deny Who does not, whatever the other list says; null: nobody.
   */
  constructor(allow: readonly IpRange[] | null, deny: readonly IpRange[] | null) {
    this.#allow = allow && new Matcher(allow);
    this.#deny = deny && deny.length > 0 ? new Matcher(deny) : null;
  }

  /** Verdicts remembered; bounded. */
  get size(): number {
    return this.#verdicts.size;
  }

  /**
   * Whether a peer gets in.
   *
   * @param hostname Its address; what is no address does not get past any list.
   * @returns True if it does. Never throws.
   */
  admits(hostname: string): boolean {
    if (this.#allow === null && this.#deny === null) return true;
    const known = this.#verdicts.get(hostname);
    if (known !== undefined) return known;
    const parsed = parseIp(hostname);
    if (!parsed) return false; // not remembered: it could be of any length
    const verdict = this.#judge(unmapIp(parsed));
    // forged senders cannot fill memory; a look-up costs less than to keep the order of use
    if (this.#verdicts.size >= MOST_VERDICTS) this.#verdicts.clear();
    this.#verdicts.set(hostname, verdict);
    return verdict;
  }

  #judge(ip: Ip): boolean {
    if (this.#deny?.overlaps(ip) === true) return false;
    return this.#allow === null || this.#allow.includes(ip);
  }
}
