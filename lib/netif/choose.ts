/**
 * Which network card is the one for the rest of the world.
 *
 * @module
 */
import type { IpScope } from "../net/ip_range.ts";
import type { Family } from "../pipe/types.ts";
import type { InterfaceAddress } from "./card_address.ts";
import type { InterfaceKind } from "./kind.ts";

/** A default route that leaves by a card. */
export interface Gateway {
  /** For addresses of this family. */
  readonly family: Family;
  /** The next machine, with its zone; undefined where the card itself leads everywhere. */
  readonly gateway: string | undefined;
  /** Its price, as the system counts it. */
  readonly metric: number;
  /** Its place among the default routes of all cards: the system takes the least. */
  readonly rank: number;
}

/** What the choice goes by. */
export interface Candidate {
  /** The card's name. */
  readonly name: string;
  /** What it may be. */
  readonly kind: InterfaceKind;
  /** Its addresses. */
  readonly addresses: readonly InterfaceAddress[];
  /** The default routes that leave by it. */
  readonly gateways: readonly Gateway[];
}

/** A choice, and why. */
export interface Choice<T> {
  /** The card. */
  readonly card: T;
  /** Why, for people. */
  readonly reason: string;
}

/** From the farthest reach to the nearest. */
const REACH: ReadonlyArray<readonly [string, readonly IpScope[]]> = [
  ["global", ["global"]],
  ["private", ["private", "shared", "ula"]],
  ["other", ["documentation", "reserved"]],
  ["link-local", ["link-local"]],
  ["loopback", ["loopback"]],
];

const SOFTWARE: ReadonlySet<InterfaceKind> = new Set(["tunnel", "virtual", "loopback"]);

/** The cheapest default route of the family that leaves by one of the cards. */
function byRoute<T extends Candidate>(cards: readonly T[], family: Family): Choice<T> | undefined {
  let best: Choice<T> | undefined, least = Infinity;
  for (const card of cards) {
    if (!card.addresses.some((address) => address.family === family)) continue;
    for (const { family: of, gateway, metric, rank } of card.gateways) {
      if (of !== family || rank >= least) continue;
      least = rank;
      const via = gateway === undefined ? "" : ` via ${gateway}`;
      best = { card, reason: `the system's default route of ${family}${via}, metric ${metric}` };
    }
  }
  return best;
}

/** The first card of hardware with an address of the farthest reach, else the first one at all. */
function byAddress<T extends Candidate>(
  cards: readonly T[],
  families: readonly Family[],
): Choice<T> | undefined {
  for (const [word, scopes] of REACH) {
    for (const software of [false, true]) {
      for (const family of families) {
        for (const card of cards) {
          if (SOFTWARE.has(card.kind) !== software) continue;
          const found = card.addresses.find(({ ip }) =>
            ip.family === family && scopes.includes(ip.scope)
          );
          if (!found) continue;
          const reason = `no default route is known; the first ${word} address, ${found.ip}`;
          return { card, reason };
        }
      }
    }
  }
  return undefined;
}

/**
 * Chooses a card: the one that the system's default route leaves by, where that is known (IPv4's
 * before IPv6's); else the first one with a global address, else with a private one, else with any.
 * Cards of hardware go before bridges and tunnels of the same kind of address.
 *
 * @param cards The cards, in the system's order.
 * @param family The family that it is for; undefined: either.
 * @returns The choice, or undefined if no card has an address of the family.
 */
export function chooseCard<T extends Candidate>(
  cards: readonly T[],
  family: Family | undefined,
): Choice<T> | undefined {
  const families: readonly Family[] = family === undefined ? ["IPv4", "IPv6"] : [family];
  for (const one of families) {
    const choice = byRoute(cards, one);
    if (choice) return choice;
  }
  return byAddress(cards, families);
}
