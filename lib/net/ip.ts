/**
 * IP addresses as values: a strict parser, the canonical text, and what kind of address it is.
 * Everything is pure, linear in the length of its input, and free of regular expressions.
 *
 * @module
 */
import type { Family } from "../pipe/types.ts";

/** One IP address. Two of them are the same address if all three members are equal. */
export interface Ip {
  /** "IPv4" or "IPv6"; a v4-mapped address is "IPv6" until {@linkcode unmapIp} unfolds it. */
  readonly family: Family;
  /** The address as an unsigned number of 32 or 128 bits. */
  readonly value: bigint;
  /** The zone of a scoped IPv6 address (RFC 4007, section 11), without the "%"; "" if none. */
  readonly zone: string;
}

/** No address text is longer (45 characters, "%", 64 of zone), so more is refused unread. */
const MAX_TEXT = 128, MAX_ZONE = 64;
const ZONE_CHARS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.~:@-";
const BITS_32 = 0xffff_ffffn;
/** The upper 96 bits of ::ffff:0:0/96, the v4-mapped addresses (RFC 4291, section 2.5.5.2). */
const MAPPED = 0xffffn;
const MAPPED_TEXT = "::ffff:";

const DOT = 0x2e, COLON = 0x3a, ZERO = 0x30;

/** The value of a hexadecimal digit, or -1. */
function hexDigit(code: number): number {
  const digit = code - ZERO, letter = (code | 0x20) - 0x61;
  return digit >= 0 && digit <= 9 ? digit : letter >= 0 && letter < 6 ? letter + 10 : -1;
}

/** Reads `text[from..to)` as a dotted quad; -1 if it is none. No short, octal or hex forms. */
function scanIPv4(text: string, from: number, to: number): number {
  // "0.0.0.0" to "255.255.255.255"
  if (to - from < 7 || to - from > 15) return -1;
  let value = 0, part = 0, digits = 0, dots = 0;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (digits === 0 || ++dots > 3) return -1;
      value = value * 256 + part;
      part = digits = 0;
      continue;
    }
    const digit = code - ZERO;
    // a second digit after a 0 would be an octal number to other parsers
    if (digit < 0 || digit > 9 || (digits > 0 && part === 0)) return -1;
    part = part * 10 + digit;
    digits++;
    if (part > 255) return -1;
  }
  return digits > 0 && dots === 3 ? value * 256 + part : -1;
}

/** Reads `text[0..end)` as IPv6 without brackets and zone (RFC 4291, section 2.2). */
function scanIPv6(text: string, end: number): bigint | undefined {
  const groups: number[] = [];
  let gap = -1; // how many groups stand before "::"
  let i = 0;
  if (text.charCodeAt(0) === COLON) {
    if (end < 2 || text.charCodeAt(1) !== COLON) return undefined;
    gap = 0;
    i = 2;
  }
  while (i < end) {
    const start = i;
    let group = 0;
    for (let digit; i < end && (digit = hexDigit(text.charCodeAt(i))) >= 0; i++) {
      if (i - start === 4) return undefined;
      group = group * 16 + digit;
    }
    if (i < end && text.charCodeAt(i) === DOT) {
      const tail = scanIPv4(text, start, end);
      if (tail < 0) return undefined;
      groups.push(tail >>> 16, tail & 0xffff);
      break;
    }
    if (i === start) return undefined;
    groups.push(group);
    if (groups.length > 8) return undefined;
    if (i === end) break;
    if (text.charCodeAt(i++) !== COLON) return undefined;
    if (i === end) return undefined; // one ":" at the end
    if (text.charCodeAt(i) === COLON) {
      if (gap >= 0) return undefined;
      gap = groups.length;
      i++;
    }
  }
  // "::" stands for one group at least
  if (gap < 0 ? groups.length !== 8 : groups.length > 7) return undefined;
  if (gap >= 0) groups.splice(gap, 0, ...new Array<number>(8 - groups.length).fill(0));
  const pair = (at: number) => BigInt((groups[at] ?? 0) * 65536 + (groups[at + 1] ?? 0));
  return pair(0) << 96n | pair(2) << 64n | pair(4) << 32n | pair(6);
}

function isZone(zone: string): boolean {
  if (zone.length === 0 || zone.length > MAX_ZONE) return false;
  for (const char of zone) if (!ZONE_CHARS.includes(char)) return false;
  return true;
}

/**
 * Reads an IP address, strictly: an IPv4 address is four decimal parts without leading zeros; an IPv6
 * address is the text of RFC 4291, section 2.2, with an optional `%zone` (RFC 4007, section 11).
 * Brackets, ports, prefixes and spaces are no part of an address; `127.1` and `0x7f.0.0.1` are none.
 *
 * @param text Any string.
 * @returns The address, or undefined if the text is none. Never throws.
 */
export function parseIp(text: string): Ip | undefined {
  if (text.length < 2 || text.length > MAX_TEXT) return undefined;
  if (!text.includes(":")) {
    const value = scanIPv4(text, 0, text.length);
    return value < 0 ? undefined : { family: "IPv4", value: BigInt(value), zone: "" };
  }
  const percent = text.indexOf("%");
  const zone = percent < 0 ? "" : text.slice(percent + 1);
  if (percent >= 0 && !isZone(zone)) return undefined;
  const value = scanIPv6(text, percent < 0 ? text.length : percent);
  return value === undefined ? undefined : { family: "IPv6", value, zone };
}

function valueOf(ip: Ip): bigint {
  const bits = ip.family === "IPv4" ? 32 : 128;
  if (BigInt.asUintN(bits, ip.value) !== ip.value) {
    throw new RangeError(`ip: an ${ip.family} address has ${bits} bits, got ${ip.value}`);
  }
  return ip.value;
}

function formatIPv4(value: number): string {
  return `${value >>> 24}.${value >>> 16 & 255}.${value >>> 8 & 255}.${value & 255}`;
}

/** RFC 5952, section 4: the longest run of zeros, the first of equals, at least two long. */
function formatIPv6(value: bigint): string {
  const groups: number[] = [];
  for (let shift = 96n; shift >= 0n; shift -= 32n) {
    const pair = Number(value >> shift & BITS_32);
    groups.push(pair >>> 16, pair & 0xffff);
  }
  let start = -1, length = 1;
  for (let i = 0; i < 8;) {
    let end = i;
    while (groups[end] === 0) end++;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
    i = end + 1;
  }
  const hex = groups.map((group) => group.toString(16));
  if (start < 0) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

/**
 * Writes an address in its canonical form: dotted for IPv4, RFC 5952 for IPv6, v4-mapped ones as
 * `::ffff:1.2.3.4` (RFC 5952, section 5), the zone kept as it is.
 *
 * @param ip The address.
 * @returns The text; {@linkcode parseIp} gives the same address for it.
 * @throws {RangeError} If the value does not fit the family.
 */
export function formatIp(ip: Ip): string {
  const value = valueOf(ip);
  if (ip.family === "IPv4") return formatIPv4(Number(value));
  const text = value >> 32n === MAPPED
    ? MAPPED_TEXT + formatIPv4(Number(value & BITS_32))
    : formatIPv6(value);
  return ip.zone === "" ? text : `${text}%${ip.zone}`;
}

/**
 * The bytes of an address, in network order. The zone is no part of them.
 *
 * @param ip The address.
 * @returns 4 or 16 new bytes.
 * @throws {RangeError} If the value does not fit the family.
 */
export function ipToBytes(ip: Ip): Uint8Array<ArrayBuffer> {
  let value = valueOf(ip);
  const bytes = new Uint8Array(ip.family === "IPv4" ? 4 : 16);
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(value & 0xffn);
    value >>= 8n;
  }
  return bytes;
}

/**
 * The address that 4 or 16 bytes in network order stand for.
 *
 * @param bytes The bytes; they are not kept.
 * @param zone The zone of an IPv6 address, without the "%".
 * @returns The address.
 * @throws {RangeError} If there are neither 4 nor 16 bytes, or the zone is none or meant for IPv4.
 */
export function ipFromBytes(bytes: Uint8Array, zone = ""): Ip {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new RangeError(`bytes: an IP address has 4 or 16 bytes, got ${bytes.length}`);
  }
  if (zone !== "" && (bytes.length === 4 || !isZone(zone))) {
    throw new RangeError(`zone: not a zone of this address, got ${JSON.stringify(zone)}`);
  }
  let value = 0n;
  for (const byte of bytes) value = value << 8n | BigInt(byte);
  return { family: bytes.length === 4 ? "IPv4" : "IPv6", value, zone };
}

/**
 * Unfolds a v4-mapped address, as a socket for both families sees its IPv4 peers.
 *
 * @param ip Any address.
 * @returns The IPv4 address (without a zone) for `::ffff:1.2.3.4`, else the argument itself.
 */
export function unmapIp(ip: Ip): Ip {
  if (ip.family === "IPv4" || ip.value >> 32n !== MAPPED) return ip;
  return { family: "IPv4", value: ip.value & BITS_32, zone: "" };
}

/**
 * The one text that stands for an address, for use as a key or to compare.
 *
 * @param text Any string.
 * @returns Canonical text with a v4-mapped address unfolded, or undefined if it is no address.
 */
export function normalizeIp(text: string): string | undefined {
  const ip = parseIp(text);
  return ip && formatIp(unmapIp(ip));
}

/**
 * The canonical text of an address that the system printed. It is called for every datagram, so it
 * relies on systems printing canonical text, but for v4-mapped addresses.
 *
 * @param hostname What the system gave.
 * @returns `1.2.3.4` for `::ffff:1.2.3.4`, else the argument itself.
 */
export function systemHost(hostname: string): string {
  if (!hostname.startsWith(MAPPED_TEXT)) return hostname;
  const dotted = scanIPv4(hostname, MAPPED_TEXT.length, hostname.length) >= 0;
  return dotted ? hostname.slice(MAPPED_TEXT.length) : normalizeIp(hostname) ?? hostname;
}

/** Whether these are the upper bits of the address, unfolded: `v4` of 32 or `v6` of 128. */
function startsWith(ip: Ip, bits4: bigint, v4: bigint, bits6: bigint, v6: bigint): boolean {
  const { family, value } = unmapIp(ip);
  return family === "IPv4" ? value >> (32n - bits4) === v4 : value >> (128n - bits6) === v6;
}

/**
 * Whether an address holds on one link only: 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291, 2.5.6).
 * @param ip The address; a v4-mapped one counts as IPv4, here and below.
 * @returns True if it does.
 */
export function isLinkLocal(ip: Ip): boolean {
  return startsWith(ip, 16n, 0xa9fen, 10n, 0x3fan);
}

/**
 * Whether an address is this machine: 127.0.0.0/8 (RFC 1122, section 3.2.1.3) or `::1`.
 * @param ip The address.
 * @returns True if it is.
 */
export function isLoopback(ip: Ip): boolean {
  return startsWith(ip, 8n, 127n, 128n, 1n);
}

/**
 * Whether an address is a group: 224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291, section 2.7).
 * @param ip The address.
 * @returns True if it is.
 */
export function isMulticast(ip: Ip): boolean {
  return startsWith(ip, 4n, 0xen, 8n, 0xffn);
}

/**
 * Whether an address is `0.0.0.0` or `::`, which stand for no address or for all of them.
 * @param ip The address.
 * @returns True if it is.
 */
export function isUnspecified(ip: Ip): boolean {
  return startsWith(ip, 32n, 0n, 128n, 0n);
}

/**
 * Whether an address is 255.255.255.255. A network's own broadcast address takes its mask to tell.
 * @param ip The address.
 * @returns True if it is.
 */
export function isBroadcast(ip: Ip): boolean {
  return startsWith(ip, 32n, BITS_32, 128n, -1n);
}
