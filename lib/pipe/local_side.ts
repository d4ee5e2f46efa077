import { type Endpoint, parseDest } from "../net/address.ts";
import { formatIp, type Ip, isLinkLocal } from "../net/ip.ts";
import { IpRange } from "../net/ip_range.ts";
import { show } from "../net/show.ts";
import { Interface } from "../netif/interface.ts";
import { Route } from "../netif/route.ts";
import { RoutePool } from "../netif/route_pool.ts";
import { chooseSource } from "../netif/source_address.ts";
import type { Dest } from "./types.ts";
import type { PipeOptions } from "./pipe_options.ts";

/** One local side that a pipe may have. */
export interface LocalSide {
  /** What `pipe.route` says if it is this one. */
  readonly route: Dest;
  /** Where to bind. */
  readonly endpoint: Endpoint;
  /** The card whose addresses are to choose from, by the destination. */
  readonly card?: Interface;
}

/**
 * Checks a route.
 *
 * @param route As the caller wrote it.
 * @param server Whether it is to be listened on.
 * @returns The local sides it stands for, in the order in which to try them.
 */
export function localSides(route: PipeOptions["route"], server: boolean): readonly LocalSide[] {
  if (route === undefined) return [];
  if (route instanceof RoutePool) {
    if (server) {
      throw new TypeError(
        "route: a server listens on one address; open one for each route of the pool",
      );
    }
    if (route.routes.length === 0) throw new TypeError("route: the pool has no route in it");
    return route.routes.map((one) => sideOf(one));
  }
  if (route instanceof Interface) {
    const families = route.supported();
    if (families.length === 0) throw new TypeError(`route: ${show(route.name)} has no address`);
    // A server has one address; to have all of them there is Daemon.
    return server
      ? [sideOf(route.route())]
      : families.map((family) => ({ ...sideOf(route.route(family)), card: route }));
  }
  return [sideOf(route, server)];
}

function sideOf(route: Dest, wildcard = false): LocalSide {
  return { route, endpoint: parseDest(route, "route", { literal: true, wildcard }) };
}

/** Where a side binds to reach an address: on the link of a link-local one, its own link-local address. */
export function bindFor(side: LocalSide, to: Ip | undefined): LocalSide {
  const { route, endpoint, card } = side;
  if (to === undefined) return side;
  if (card !== undefined) return sourceOf(card, to) ?? side;
  if (!isLinkLocal(to) || !(route instanceof Route) || route.bound !== undefined) return side;
  const own = route.linkLocal();
  return own === undefined ? side : sideOf(route.bind({ ip: own, port: endpoint.port }));
}

/** The card's address for a destination (RFC 6724): it may have a public one and a private one. */
function sourceOf(card: Interface, to: Ip): LocalSide | undefined {
  const source = chooseSource(new IpRange(formatIp(to)), card.addresses, card.gateways);
  if (source === undefined) return undefined;
  const { ip, family } = source;
  const route = card.routes(family).routes.find(({ nicIps }) =>
    nicIps.some((nicIp) => nicIp.includes(ip))
  );
  return route && sideOf(route.bind({ ip }));
}
