/**
 * Where a daemon listens.
 *
 * @module
 */
import type { IpScope } from "../net/ip_range.ts";
import type { Proto } from "../pipe/types.ts";
import type { InterfaceAddress } from "./card_address.ts";
import { checkNics, checkPort, checkProtos, namesOf } from "./daemon_checks.ts";
import { Route } from "./route.ts";

/** One socket to open. */
export interface Place {
  /** Its protocol. */
  readonly proto: Proto;
  /** Its local side at a port. */
  readonly at: (port: number) => string | Route;
  /** It is left out where the host has no such address. */
  readonly optional?: boolean;
}

/** What no router passes on to the rest of the world. */
const LOCAL: ReadonlySet<IpScope> = new Set(["private", "link-local", "ula"]);

/** Every address, of both families where the host has them. */
export function allPlaces(proto: unknown, port: unknown, nic: unknown): Place[] {
  const protos = checkProtos(proto);
  checkPort(port);
  if (nic === undefined) return protos.map((proto) => ({ proto, at: (port) => `*:${port}` }));
  const addresses = checkNics(nic).flatMap((card) => card.addresses);
  return across(protos, addresses, () => `nic: ${namesOf(nic)} has no address`);
}

/** The loopback addresses, of the card's families or those that there are. */
export function loopbackPlaces(proto: unknown, port: unknown, nic: unknown): Place[] {
  const protos = checkProtos(proto);
  checkPort(port);
  const [card] = nic === undefined ? [] : checkNics(nic, 1);
  const families = card === undefined ? ["IPv4", "IPv6"] as const : card.supported();
  if (families.length === 0) throw new RangeError(`nic: ${namesOf(nic)} has no address`);
  return families.flatMap((family) =>
    protos.map((proto) => ({
      proto,
      at: (port) => Route.loopback(family).bind({ port }),
      optional: card === undefined && family === "IPv6",
    }))
  );
}

/** The addresses that only neighbours can reach. */
export function localPlaces(proto: unknown, port: unknown, nic: unknown): Place[] {
  const protos = checkProtos(proto);
  checkPort(port);
  const all = checkNics(nic).flatMap((card) => card.addresses);
  return across(protos, all.filter(({ ip }) => LOCAL.has(ip.scope)), () => {
    const has = all.map(({ ip }) => String(ip)).join(", ");
    return `nic: ${namesOf(nic)} has no private, link-local or unique local address, only ${has}`;
  });
}

/** A place for each protocol at each address. A route, so that the pipe ends when its card loses it. */
function across(
  protos: readonly Proto[],
  addresses: readonly InterfaceAddress[],
  none: () => string,
): Place[] {
  if (addresses.length === 0) throw new RangeError(none());
  // Cards may share one, as unnumbered tunnels do (RFC 5309).
  const each = new Map(addresses.map((address) => [String(address.ip), address]));
  return [...each.values()].flatMap(({ family, ip }) => {
    const route = new Route({ family, nicIps: [ip] });
    return protos.map((proto) => ({ proto, at: (port) => route.bind({ port }) }));
  });
}
