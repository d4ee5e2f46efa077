/**
 * Which of a card's addresses to send from, by RFC 6724, section 5, as far as Deno tells what that
 * takes: rules 1, 2, 5.5, 6 and 8. Whether an address is deprecated or temporary it does not tell.
 *
 * @module
 */
import type { IpRange } from "../net/ip_range.ts";
import { toRange } from "../net/ip_range.ts";
import type { InterfaceAddress } from "./card_address.ts";
import type { Gateway } from "./choose.ts";

/** RFC 6724, section 2.1. IPv4 is given what it has as a v4-mapped address. */
const POLICY: ReadonlyArray<readonly [IpRange, number]> = [
  ["::1", 0],
  ["2002::/16", 2],
  ["2001::/32", 5],
  ["fc00::/7", 13],
  ["::/96", 3],
  ["fec0::/10", 11],
  ["3ffe::/16", 12],
  ["0.0.0.0/0", 4],
].map(([text, label]) => [toRange(text, "policy"), Number(label)] as const);

function labelOf(ip: IpRange): number {
  return POLICY.find(([range]) => range.includes(ip))?.[1] ?? 1;
}

const LINK = 0x2, GLOBAL = 0xe;

/**
 * How far an address reaches (RFC 6724, section 3.1): 2 is the link, 14 everywhere. Private and unique
 * local addresses count as global there; loopback as link-local.
 *
 * @param ip One address.
 * @returns The scope's number.
 */
export function reachOf(ip: IpRange): number {
  const { family, scope, value } = ip;
  if (scope === "link-local" || scope === "loopback") return LINK;
  if (family === "IPv6" && scope === "multicast") return Number(value >> 112n & 0xfn);
  if (family === "IPv6" && value >> 118n === 0x3fbn) return 0x5; // fec0::/10
  if (scope === "multicast" && value >> 8n === 0xe00000n) return LINK; // 224.0.0.0/24, RFC 5771
  return GLOBAL;
}

/** How many leading bits are the same, up to the source's prefix (section 2.2). */
function common(from: InterfaceAddress, dest: IpRange): number {
  const bits = from.family === "IPv4" ? 32 : 128;
  const different = from.ip.value ^ dest.value;
  const same = different === 0n ? bits : bits - different.toString(2).length;
  return Math.min(same, from.prefix);
}

/** Positive if `a` is the better source. Each rule decides only where those before it do not. */
function compare(
  a: InterfaceAddress,
  b: InterfaceAddress,
  dest: IpRange,
  gateways: readonly Gateway[],
): number {
  const rule = (holds: (address: InterfaceAddress) => boolean) =>
    Number(holds(a)) - Number(holds(b));
  const [reachA, reachB, reach] = [reachOf(a.ip), reachOf(b.ip), reachOf(dest)];
  const onLink = (address: InterfaceAddress) => address.network.includes(dest);
  const nextHop = ({ network }: InterfaceAddress) =>
    gateways.some(({ gateway }) => gateway !== undefined && network.includes(gateway));
  // 2: the smallest scope that is enough, else the largest that there is
  const wider = Math.sign(reachA - reachB);
  const scope = Math.min(reachA, reachB) < reach ? wider : -wider;
  return rule(({ ip }) => ip.equals(dest)) || scope || rule(onLink) || rule(nextHop) ||
    rule(({ ip }) => labelOf(ip) === labelOf(dest)) ||
    (dest.family === "IPv6" || onLink(a) ? common(a, dest) - common(b, dest) : 0);
}

/**
 * Chooses the address to send from.
 *
 * @param dest Where to.
 * @param addresses The addresses of the card, those of the destination's family.
 * @param gateways The card's default routes.
 * @returns The best one; the first of equals. Undefined if there is none that reaches so far.
 */
export function chooseSource(
  dest: IpRange,
  addresses: readonly InterfaceAddress[],
  gateways: readonly Gateway[],
): InterfaceAddress | undefined {
  let best: InterfaceAddress | undefined;
  for (const address of addresses) {
    if (address.family !== dest.family) continue;
    if (!best || compare(address, best, dest, gateways) > 0) best = address;
  }
  return best;
}
