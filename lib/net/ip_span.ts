/**
 * What {@linkcode IpRange} is made of: so many addresses from one on. Reads and checks them as a caller
 * writes them.
 *
 * @module
 */
import type { Family } from "../pipe/types.ts";
import { formatIp, type Ip, parseIp } from "./ip.ts";
import { show } from "./show.ts";

/** Neighbouring addresses. */
export interface Span {
  /** The family of all of them. */
  readonly family: Family;
  /** The first one, as a number. */
  readonly value: bigint;
  /** How many there are, one at least. */
  readonly size: bigint;
  /** The zone of all of them, without the "%"; "" for none. */
  readonly zone: string;
}

/** How far an address extends; see {@linkcode IpRange}. */
export interface IpRangeOptions {
  /** The family, needed for a number; of a text it is checked. */
  readonly family?: Family | undefined;
  /** How many leading bits the addresses share: 0 to 32, or 0 to 128. */
  readonly prefix?: number | undefined;
  /** The same as a mask, `255.255.0.0`; one with holes is refused. */
  readonly netmask?: string | undefined;
  /** How many addresses, from this one on, instead of a prefix. */
  readonly size?: bigint | undefined;
  /** The zone of a number, without the "%". */
  readonly zone?: string | undefined;
}

const FORMS = 'an IP address, "address/prefix" or "first-last" is needed';
/** Two addresses with their zones; longer is refused unread. */
const MAX_TEXT = 260;
const KEYS = ["family", "prefix", "netmask", "size", "zone"];

/**
 * The length of an address.
 *
 * @param family Its family.
 * @returns 32 or 128.
 */
export function bitsOf(family: Family): 32 | 128 {
  return family === "IPv4" ? 32 : 128;
}

/**
 * Checks a family.
 *
 * @param family Any value.
 * @param what The argument's name, for the error.
 * @throws {TypeError} If it is none.
 */
export function checkFamily(family: unknown, what: string): asserts family is Family {
  if (family !== "IPv4" && family !== "IPv6") {
    throw new TypeError(`${what}: "IPv4" or "IPv6" is needed, got ${show(family)}`);
  }
}

/**
 * Checks the length of a prefix.
 *
 * @param prefix Any value.
 * @param family The family it is for.
 * @param what The argument's name, for the error.
 * @returns The prefix.
 * @throws {TypeError} If it is no number.
 * @throws {RangeError} If the family has no such prefix.
 */
export function checkPrefix(prefix: unknown, family: Family, what: string): number {
  const bits = bitsOf(family);
  if (typeof prefix !== "number") {
    throw new TypeError(`${what}: prefix must be a number, got ${show(prefix)}`);
  }
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > bits) {
    throw new RangeError(`${what}: the prefix of ${family} is 0 to ${bits}, got ${show(prefix)}`);
  }
  return prefix + 0; // -0 is 0
}

/**
 * The prefix that a mask stands for.
 *
 * @param netmask The mask as text.
 * @param family The family it is for.
 * @param what The argument's name, for the error.
 * @returns The number of its ones.
 * @throws {TypeError} If it is no address.
 * @throws {RangeError} If it is of the other family, or has a zero before a one.
 */
export function maskToPrefix(netmask: unknown, family: Family, what: string): number {
  const mask = typeof netmask === "string" ? parseIp(netmask) : undefined;
  if (!mask || mask.zone !== "") {
    throw new TypeError(
      `${what}: netmask must be like 255.255.0.0 or ffff::, got ${show(netmask)}`,
    );
  }
  if (mask.family !== family) {
    throw new RangeError(`${what}: netmask of ${family} is needed, got ${show(netmask)}`);
  }
  const bits = bitsOf(family);
  const zeros = BigInt.asUintN(bits, ~mask.value);
  if ((zeros & zeros + 1n) !== 0n) {
    throw new RangeError(`${what}: netmask must be ones and then zeros, got ${show(netmask)}`);
  }
  return bits - (zeros === 0n ? 0 : zeros.toString(2).length);
}

/**
 * The block that an address is in: the bits after the prefix are cleared.
 *
 * @param ip Any address of the block.
 * @param prefix A checked prefix.
 * @returns The whole block.
 */
export function blockOf({ family, value, zone }: Ip, prefix: number): Span {
  const size = 1n << BigInt(bitsOf(family) - prefix);
  return { family, value: value & -size, size, zone };
}

/** The prefix of "address/…": digits without a leading zero, or a mask. */
function readPrefix(text: string, family: Family, what: string): number {
  if (text.includes(".") || text.includes(":")) return maskToPrefix(text, family, what);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(text)) {
    throw new RangeError(
      `${what}: the prefix of ${family} is 0 to ${bitsOf(family)}, got ${show(text)}`,
    );
  }
  return checkPrefix(Number(text), family, what);
}

/** Reads "first-last"; a zone may have a "-" of its own, so every one is tried. */
function readInterval(text: string, what: string): Span | undefined {
  for (let at = text.indexOf("-"); at >= 0; at = text.indexOf("-", at + 1)) {
    const first = parseIp(text.slice(0, at)), last = parseIp(text.slice(at + 1));
    if (!first || !last) continue;
    const { family, value, zone } = first;
    if (last.family !== family || last.zone !== zone || last.value < value) {
      throw new RangeError(`${what}: the last address must follow the first, got ${show(text)}`);
    }
    return { family, value, size: last.value - value + 1n, zone };
  }
  return undefined;
}

/**
 * Reads a range as a caller writes it: one address, "address/prefix", "address/mask" or "first-last".
 *
 * @param text Any value.
 * @param what The argument's name, for the error.
 * @returns The addresses.
 * @throws {TypeError} If it is none of these.
 * @throws {RangeError} If the prefix, mask or order is wrong.
 */
export function readSpan(text: unknown, what: string): Span {
  const refuse = () => new TypeError(`${what}: ${FORMS}, got ${show(text)}`);
  if (typeof text !== "string" || text.length > MAX_TEXT) throw refuse();
  const slash = text.indexOf("/");
  const ip = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (ip) {
    const prefix = slash < 0
      ? bitsOf(ip.family)
      : readPrefix(text.slice(slash + 1), ip.family, what);
    return blockOf(ip, prefix);
  }
  const span = readInterval(text, what);
  if (!span) throw refuse();
  return span;
}

/** The prefix that options ask for, by either word; undefined if by none. */
function prefixIn({ prefix, netmask }: IpRangeOptions, family: Family): number | undefined {
  const given = prefix === undefined ? undefined : checkPrefix(prefix, family, "prefix");
  if (netmask === undefined) return given;
  const ones = maskToPrefix(netmask, family, "netmask");
  if (given !== undefined && given !== ones) {
    throw new RangeError(`netmask: ${netmask} is /${ones}, but prefix is ${given}`);
  }
  return ones;
}

function sized({ family, value, zone }: Ip, size: unknown): Span {
  if (typeof size !== "bigint") throw new TypeError(`size: a bigint is needed, got ${show(size)}`);
  const room = (1n << BigInt(bitsOf(family))) - value;
  if (size < 1n || size > room) {
    throw new RangeError(`size: ${family} has 1 to ${room} addresses from here on, got ${size}`);
  }
  return { family, value, size, zone };
}

function fromNumber(value: bigint, { family, zone = "" }: IpRangeOptions): Ip {
  checkFamily(family, "family");
  if (value < 0n || value >> BigInt(bitsOf(family)) !== 0n) {
    throw new RangeError(`address: ${family} has ${bitsOf(family)} bits, got ${value}`);
  }
  if (typeof zone !== "string" || (zone !== "" && (family === "IPv4" || !parseIp(`::%${zone}`)))) {
    throw new RangeError(`zone: not a zone of an ${family} address, got ${show(zone)}`);
  }
  return { family, value, zone };
}

function fromText(text: string, { family, zone }: IpRangeOptions): Span {
  const span = readSpan(text, "address");
  if (family !== undefined) checkFamily(family, "family");
  if (family !== undefined && family !== span.family) {
    throw new RangeError(`address: is not ${family}, got ${show(text)}`);
  }
  if (zone !== undefined && zone !== span.zone) {
    throw new RangeError(`zone: goes into the text, "fe80::1%eth0", got ${show(zone)}`);
  }
  return span;
}

/**
 * Checks the arguments of {@linkcode IpRange}.
 *
 * @param address Text, or a number.
 * @param o How far it extends.
 * @returns The addresses.
 * @throws {TypeError} If an argument is of a wrong kind.
 * @throws {RangeError} If a value is out of range, or two of them contradict each other.
 */
export function toSpan(address: unknown, o: IpRangeOptions): Span {
  if (typeof o !== "object" || o === null) {
    throw new TypeError(`options: { prefix?, netmask?, … } is needed, got ${show(o)}`);
  }
  for (const key of Object.keys(o)) {
    if (!KEYS.includes(key)) {
      throw new TypeError(`options: there is no ${show(key)}, only ${KEYS.join(", ")}`);
    }
  }
  let base: Span;
  if (typeof address === "string") base = fromText(address, o);
  else if (typeof address === "bigint") base = { ...fromNumber(address, o), size: 1n };
  else throw new TypeError(`address: text or a bigint is needed, got ${show(address)}`);
  const prefix = prefixIn(o, base.family);
  if (prefix === undefined && o.size === undefined) return base;
  if (prefix !== undefined && o.size !== undefined) {
    throw new TypeError("size: a prefix or netmask says it already; leave one of them out");
  }
  const span = prefix === undefined ? sized(base, o.size) : blockOf(base, prefix);
  if (typeof address === "string" && !parseIp(address) && !isSameSpan(base, span)) {
    throw new RangeError(`address: says by itself how far it goes, got ${show(address)}`);
  }
  return span;
}

/**
 * Whether two spans are the same addresses.
 *
 * @param a One.
 * @param b Another one.
 * @returns True if they are; family and zone count.
 */
export function isSameSpan(a: Span, b: Span): boolean {
  return a.value === b.value && a.size === b.size && a.family === b.family && a.zone === b.zone;
}

/**
 * The text of a span, that {@linkcode readSpan} takes back.
 *
 * @param span The addresses.
 * @returns One address, "address/prefix" where it is a block, else "first-last".
 */
export function spanText(span: Span): string {
  const { family, value, size, zone } = span;
  const first = formatIp({ family, value, zone });
  if (size === 1n) return first;
  const prefix = spanPrefix(span);
  if (prefix !== undefined) return `${first}/${prefix}`;
  return `${first}-${formatIp({ family, value: value + size - 1n, zone })}`;
}

/**
 * The prefix of a span that is a block.
 *
 * @param span The addresses.
 * @returns 0 to 32 or 128; undefined if it is no block.
 */
export function spanPrefix({ family, value, size }: Span): number | undefined {
  if ((size & size - 1n) !== 0n || (value & size - 1n) !== 0n) return undefined;
  return bitsOf(family) - (size.toString(2).length - 1);
}
