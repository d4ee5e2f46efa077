/**
 * The route to a destination.
 *
 * @module
 */
import { parseDest } from "../net/address.ts";
import { formatIp, type Ip, isUnspecified, parseIp, unmapIp } from "../net/ip.ts";
import { IpRange } from "../net/ip_range.ts";
import { show } from "../net/show.ts";
import type { Dest } from "../pipe/types.ts";
import { routesOf } from "./card_routes.ts";
import { chooseCard } from "./choose.ts";
import { Interface } from "./interface.ts";
import { Route } from "./route.ts";
import { chooseSource, reachOf } from "./source_address.ts";

function readDest(dest: unknown): IpRange {
  const bare = typeof dest === "string" ? parseIp(dest) : undefined;
  const ip: Ip | undefined = bare ? unmapIp(bare) : parseDest(dest, "dest", { literal: true }).ip;
  if (!ip || isUnspecified(ip)) {
    throw new RangeError(`dest: the address of a machine is needed, got ${show(dest)}`);
  }
  return new IpRange(formatIp(ip));
}

/** The cards in the zone of the destination, if it has one. */
function inZone(dest: IpRange, cards: readonly Interface[]): readonly Interface[] {
  const { zone } = dest;
  if (zone !== "") {
    const found = cards.filter(({ name, index, addresses }) =>
      name === zone || String(index) === zone || addresses.some(({ ip }) => ip.zone === zone)
    );
    if (found.length > 0) return found;
    throw new RangeError(`dest: no card is in the zone of ${dest}, there are ${names(cards)}`);
  }
  if (dest.family === "IPv4" || reachOf(dest) !== 2 || dest.scope === "loopback") return cards;
  const found = cards.filter(({ addresses }) =>
    addresses.some(({ ip }) => ip.family === "IPv6" && ip.scope === "link-local")
  );
  if (found.length < 2) return found;
  throw new RangeError(`dest: ${dest} needs a zone, it could be on ${names(found)}`);
}

function names(cards: readonly Interface[]): string {
  return cards.map(({ name }) => name).join(", ") || "none";
}

/** The card whose longest prefix holds the destination; among equals the default one, else the first. */
function onLink(dest: IpRange, cards: readonly Interface[]): Interface | undefined {
  let best: Interface[] = [], longest = -1;
  for (const card of cards) {
    for (const { network, prefix } of card.addresses) {
      // the zone has chosen the cards; names and numbers of one zone are not comparable
      const held = network.family === dest.family && dest.value >= network.value &&
        dest.value < network.value + network.size;
      if (!held || prefix < longest) continue;
      best = prefix > longest ? [card] : [...best, card];
      longest = prefix;
    }
  }
  return best.length > 1 ? chooseCard(best, dest.family)?.card : best[0];
}

/** The default card among those that have an address that reaches so far. */
function defaultFor(dest: IpRange, cards: readonly Interface[]): Interface | undefined {
  const able = cards.filter(({ addresses }) =>
    addresses.some(({ ip }) => {
      if (ip.family !== dest.family || ip.scope === "loopback") return false;
      return reachOf(ip) >= Math.min(reachOf(dest), 0xe);
    })
  );
  return chooseCard(able, dest.family)?.card;
}

/**
 * The route to a destination: of the card that has it on its link, by the longest prefix; else of the
 * default card, as {@linkcode Interface.default} chooses it among those with an address that reaches so
 * far. The route is bound to the address that RFC 6724 prefers as source, and port 0.
 *
 * A link-local destination takes the card that its zone names; without a zone there must be only one
 * card that it can be on. A loopback destination takes the loopback, whether it is listed or not.
 *
 * @param dest An IP address, or an address and port as `pipeOpen` takes it. Names are not looked up.
 * @param interfaces The cards to choose from: `Interface.list()`.
 * @returns A bound route.
 * @throws {TypeError} If an argument is of a wrong kind.
 * @throws {RangeError} If no card leads there, a zone is missing or names no card.
 *
 * @example
 * ```ts ignore
 * import { Interface, pickRoute, pipeOpen, UDP } from "@p2pd/pipes";
 *
 * const dest = "192.168.1.7:53";
 * const route = pickRoute(dest, Interface.list());
 * await using pipe = await pipeOpen(UDP, { dest, route });
 * ```
 */
export function pickRoute(dest: Dest, interfaces: readonly Interface[]): Route {
  const to = readDest(dest);
  if (!Array.isArray(interfaces) || !interfaces.every((card) => card instanceof Interface)) {
    throw new TypeError(`interfaces: an array of Interface is needed, got ${show(interfaces)}`);
  }
  const cards = inZone(to, interfaces);
  const card = onLink(to, cards) ?? (to.scope === "loopback" ? undefined : defaultFor(to, cards));
  const source = card && chooseSource(to, card.addresses, card.gateways);
  if (card && source) {
    const route = routesOf(card.addresses, to.family)
      .find(({ nicIps }) => nicIps.some((nicIp) => nicIp.equals(source.ip)));
    if (route) return route.bind({ ip: source.ip });
  }
  if (to.scope === "loopback") return Route.loopback(to.family).bind();
  const there = interfaces.map((one) => `${one.name} (${one.supported().join(", ")})`).join(", ");
  throw new RangeError(`dest: no card leads to ${to}, there are ${there || "none"}`);
}
