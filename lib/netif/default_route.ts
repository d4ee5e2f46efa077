/**
 * The default routes of a Linux machine, as text files of the kernel have them.
 *
 * @module
 */
import { formatIp, type Ip, ipFromBytes } from "../net/ip.ts";
import type { Family } from "../pipe/types.ts";

/** A route to everywhere. */
export interface DefaultRoute {
  /** For addresses of this family. */
  readonly family: Family;
  /** The card that it leaves by. */
  readonly name: string;
  /** The next machine, without a zone; undefined where the card itself leads there. */
  readonly gateway: string | undefined;
  /** Its price: the system takes the cheapest one. */
  readonly metric: number;
}

/** A route as the kernel lists it. */
interface Row {
  readonly name: string;
  readonly to: Ip;
  readonly prefix: number;
  readonly gateway: Ip;
  readonly metric: number;
  readonly flags: number;
}

/** From linux/route.h. */
const RTF_UP = 0x1, RTF_REJECT = 0x200;

const isLittleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

const DEVICE = /^[^/\s]{1,15}$/, HEX = /^([0-9A-Fa-f]{2}){1,16}$/, DECIMAL = /^[0-9]{1,10}$/;

function ipFromHex(hex: string | undefined, bytes: 4 | 16): Ip | undefined {
  if (hex === undefined || !HEX.test(hex) || hex.length !== bytes * 2) return undefined;
  return ipFromBytes(Uint8Array.fromHex(hex));
}

/** The kernel prints the four bytes of an IPv4 address as the number that they are in its memory. */
function ipFromWord(hex: string | undefined): Ip | undefined {
  const ip = ipFromHex(hex, 4);
  if (!ip || !hex || !isLittleEndian) return ip;
  return ipFromBytes(Uint8Array.fromHex(hex).reverse());
}

function hexNumber(hex: string | undefined): number {
  return hex !== undefined && HEX.test(hex) && hex.length <= 8 ? parseInt(hex, 16) : NaN;
}

function decimal(text: string | undefined): number {
  return text !== undefined && DECIMAL.test(text) ? Number(text) : NaN;
}

/**
 * How much of everywhere a route covers, 0 the most; -1 for a route that is no default route. VPNs set
 * two routes of one bit to win over the default route, and some set 2000::/3 instead of ::/0.
 */
function everywhere({ to: { family, value }, prefix }: Row): number {
  if (value === 0n && prefix <= 1) return prefix;
  return family === "IPv6" && prefix === 3 && value === 1n << 125n ? prefix : -1;
}

function defaults(rows: Iterable<Row | undefined>): DefaultRoute[] {
  const found: Row[] = [];
  for (const row of rows) {
    if (!row || (row.flags & RTF_UP) === 0 || (row.flags & RTF_REJECT) !== 0) continue;
    if (everywhere(row) >= 0) found.push(row);
  }
  found.sort((a, b) => b.prefix - a.prefix || a.metric - b.metric); // as the kernel chooses
  return found.map(({ name, to: { family }, gateway, metric }) => {
    const next = gateway.value === 0n ? undefined : formatIp(gateway);
    return Object.freeze({ family, name, gateway: next, metric });
  });
}

function rowOf(
  name: string | undefined,
  to: Ip | undefined,
  prefix: number,
  gateway: Ip | undefined,
  metric: number,
  flags: number,
): Row | undefined {
  if (name === undefined || !DEVICE.test(name) || !to || !gateway) return undefined;
  if (Number.isNaN(prefix + metric + flags)) return undefined;
  return { name, to, prefix, gateway, metric, flags };
}

/**
 * Reads `/proc/net/route`.
 *
 * @param text The file; lines that are no routes are skipped.
 * @returns The default routes of IPv4, best first.
 */
export function parseProcRoute(text: string): DefaultRoute[] {
  return defaults(
    text.split("\n").map((line) => {
      const [name, to, gateway, flags, , , metric, mask] = line.trim().split(/\s+/);
      const ones = ipFromWord(mask);
      if (!ones) return undefined;
      const prefix = ones.value.toString(2).replaceAll("0", "").length;
      const [dest, next] = [ipFromWord(to), ipFromWord(gateway)];
      return rowOf(name, dest, prefix, next, decimal(metric), hexNumber(flags));
    }),
  );
}

/**
 * Reads `/proc/net/ipv6_route`.
 *
 * @param text The file; lines that are no routes are skipped.
 * @returns The default routes of IPv6, best first.
 */
export function parseProcIpv6Route(text: string): DefaultRoute[] {
  return defaults(
    text.split("\n").map((line) => {
      const [to, prefix, , , gateway, metric, , , flags, name] = line.trim().split(/\s+/);
      const [dest, next] = [ipFromHex(to, 16), ipFromHex(gateway, 16)];
      return rowOf(name, dest, hexNumber(prefix), next, hexNumber(metric), hexNumber(flags));
    }),
  );
}
