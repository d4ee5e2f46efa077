/**
 * From the addresses of a card to its routes.
 *
 * @module
 */
import type { IpScope } from "../net/ip_range.ts";
import type { Family } from "../pipe/types.ts";
import type { InterfaceAddress } from "./card_address.ts";
import { Route } from "./route.ts";

/**
 * Others see these as they are, those of documentation in labs and examples. Anything else a NAT
 * replaces, or it holds on a link only.
 */
const SEEN: ReadonlySet<IpScope> = new Set(["global", "documentation", "loopback"]);

/**
 * The routes of a card. Each address that others see as it is makes a route of its own, in the
 * system's order; then all others, the private ones (RFC 1918, RFC 6598, RFC 4193), make one together,
 * whose external address is not known here. Link-local addresses belong to every route; alone they
 * make one.
 *
 * @param addresses The addresses of the card.
 * @param family Which of them.
 * @returns The routes; none if the card has no address of the family.
 */
export function routesOf(addresses: readonly InterfaceAddress[], family: Family): Route[] {
  const ips = addresses.filter((address) => address.family === family).map(({ ip }) => ip);
  const linkLocals = ips.filter(({ scope }) => scope === "link-local");
  const seen = ips.filter(({ scope }) => SEEN.has(scope));
  const hidden = ips.filter(({ scope }) => !SEEN.has(scope) && scope !== "link-local");
  const routes = seen.map((ip) => {
    const nicIps = ip.scope === "loopback" ? [ip] : [ip, ...linkLocals];
    return new Route({ family, nicIps, extIps: [ip] });
  });
  const rest = [...hidden, ...linkLocals];
  const needed = hidden.length > 0 || routes.length === 0;
  if (needed && rest.length > 0) routes.push(new Route({ family, nicIps: rest }));
  return routes;
}
