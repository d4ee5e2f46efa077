/**
 * Addresses as transports show them: plain frozen objects, in canonical text, with their zone.
 *
 * @module
 */
import { isLinkLocal, isMulticast, parseIp, systemHost } from "../net/ip.ts";
import type { NetAddr } from "../pipe/types.ts";

/** Interface-local and link-local groups, ff01::/16 and ff02::/16 with any flags (RFC 4291, 2.7). */
const LINK_SCOPE = 2n;

/**
 * The zone of an address.
 *
 * @param hostname Canonical text.
 * @returns What follows the "%", or "".
 */
export function zoneOf(hostname: string | undefined): string {
  const percent = hostname?.indexOf("%") ?? -1;
  return hostname === undefined || percent < 0 ? "" : hostname.slice(percent + 1);
}

/**
 * Puts back the zone that systems leave out when they show an address.
 *
 * @param hostname Canonical text.
 * @param zone The zone it would be in; "" for none.
 * @returns `fe80::1%zone` for `fe80::1`, and likewise for groups of link scope; any other address and
 * one that has a zone as it is.
 */
export function withZone(hostname: string, zone: string): string {
  if (zone === "" || hostname.includes("%")) return hostname;
  const ip = parseIp(hostname);
  if (ip?.family !== "IPv6") return hostname;
  const scope = ip.value >> 112n & 0xfn;
  const scoped = isMulticast(ip) ? scope > 0n && scope <= LINK_SCOPE : isLinkLocal(ip);
  return scoped ? `${hostname}%${zone}` : hostname;
}

/**
 * An address as the rest of the library sees it.
 *
 * @param transport The transport the port belongs to.
 * @param hostname What the system printed.
 * @param port The port.
 * @param zone The zone of the socket, for a link-local address.
 * @returns A plain frozen object.
 */
export function netAddr(
  transport: "tcp" | "udp",
  hostname: string,
  port: number,
  zone = "",
): NetAddr {
  const host = withZone(systemHost(hostname), zone);
  return Object.freeze({ transport, hostname: host, port });
}

/**
 * The address of a Unix socket.
 *
 * @param transport The protocol of its pipe.
 * @param path Its path; null or "" if it has none, as the client of a server.
 * @returns A plain frozen object.
 */
export function unixAddr(transport: "tcp" | "udp", path: string | null): NetAddr {
  const name = path ?? "";
  return Object.freeze({ transport, hostname: name, port: 0, path: name });
}

/**
 * The same for an address of Deno's.
 *
 * @param addr What `localAddr`, `remoteAddr` or `addr` gave.
 * @param zone The zone of the socket.
 * @returns A plain frozen object.
 * @throws {TypeError} If it is an address of another kind, that of a VM socket for example.
 */
export function denoAddr(addr: Deno.Addr, zone = ""): NetAddr {
  if (addr.transport === "unix") return unixAddr("tcp", addr.path);
  if (addr.transport === "unixpacket") return unixAddr("udp", addr.path);
  if (addr.transport !== "tcp" && addr.transport !== "udp") {
    throw new TypeError(`sock: must be a TCP, UDP or Unix socket, got one of "${addr.transport}"`);
  }
  return netAddr(addr.transport, addr.hostname, addr.port, zone);
}
