import { type Ip, isLoopback, isUnspecified } from "../net/ip.ts";
import type { NetAddr } from "./types.ts";

/**
 * The unspecified address as a destination means this host, as it does in the system; but a datagram's
 * answer comes from a specific one, and would be taken for a stranger's.
 *
 * @param local Where it is sent from: on this host the address of a card is answered by itself.
 */
export function reachable(ip: Ip, local?: Ip): Ip {
  if (!isUnspecified(ip)) return ip;
  const isCard = local?.family === ip.family && !isUnspecified(local) && !isLoopback(local);
  return isCard ? local : { ...ip, value: ip.family === "IPv4" ? 0x7f000001n : 1n };
}

/**
 * Whether two canonical addresses are the same; one without a zone is the same in every zone. What has
 * no name is the same as nothing.
 */
export function isSame(a: NetAddr, b: NetAddr): boolean {
  if (a.port !== b.port) return false;
  if (a.hostname === b.hostname) return a.hostname !== "";
  // In a path a percent sign is nothing special.
  if (a.path !== undefined || b.path !== undefined) return false;
  const aZone = a.hostname.indexOf("%"), bZone = b.hostname.indexOf("%");
  if (aZone >= 0) return bZone < 0 && a.hostname.slice(0, aZone) === b.hostname;
  return bZone >= 0 && b.hostname.slice(0, bZone) === a.hostname;
}
