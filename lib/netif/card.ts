/**
 * The parts of a network card, from a source and from JSON.
 *
 * @module
 */
import { parseIp } from "../net/ip.ts";
import { checkFamily } from "../net/ip_span.ts";
import { show } from "../net/show.ts";
import type { Family } from "../pipe/types.ts";
import { addressOf, addressText, type InterfaceAddress, readAddress } from "./card_address.ts";
import type { Candidate, Gateway } from "./choose.ts";
import type { DefaultRoute } from "./default_route.ts";
import { guessKind, type InterfaceKind, isKind } from "./kind.ts";
import type { RouteJson } from "./route.ts";
import type { InterfaceSource } from "./source.ts";

/** The members of an {@linkcode Interface}. */
export interface Card extends Candidate {
  /** The system's number for it, where an address of it tells. */
  readonly index: number | undefined;
  /** The hardware address, where it has one. */
  readonly mac: string | undefined;
}

/** A network card as JSON has it. */
export interface InterfaceJson {
  /** Its name. */
  readonly name: string;
  /** The system's number for it, if it is known. */
  readonly index?: number;
  /** The hardware address, if it has one. */
  readonly mac?: string;
  /** What it may be. */
  readonly kind: InterfaceKind;
  /** Its addresses, each "address/prefix". */
  readonly addresses: readonly string[];
  /** The default routes that leave by it. */
  readonly gateways: readonly {
    readonly family: Family;
    readonly gateway?: string;
    readonly metric: number;
    readonly rank: number;
  }[];
  /** Why it was chosen, if it was. */
  readonly reason?: string;
  /** Its routes, if they were learned from others. */
  readonly routes?: readonly RouteJson[];
}

const NO_MAC = "00:00:00:00:00:00";

/** The zone of the card's own link-local address, for a gateway's. */
function withZone(gateway: string | undefined, addresses: readonly InterfaceAddress[]) {
  if (gateway === undefined || gateway.includes("%") || !/^fe[89ab]/i.test(gateway)) return gateway;
  const zone = addresses.find(({ ip }) => ip.zone !== "")?.ip.zone;
  const zoned = `${gateway}%${zone}`;
  return zone !== undefined && parseIp(zoned) ? zoned : gateway;
}

function gatewaysOf(
  name: string,
  addresses: readonly InterfaceAddress[],
  routes: readonly DefaultRoute[],
): Gateway[] {
  const gateways: Gateway[] = [];
  for (const [rank, route] of routes.entries()) {
    if (route.name !== name) continue;
    const { family, metric } = route, gateway = withZone(route.gateway, addresses);
    gateways.push(Object.freeze({ family, gateway, metric, rank }));
  }
  return gateways;
}

/**
 * Reads all cards.
 *
 * @param source Where from.
 * @returns The cards that have an address, in the system's order.
 * @throws {PipeError} If the process may not read them.
 * @throws {TypeError} If what the source gives is of another shape.
 */
export function readCards(source: InterfaceSource): Card[] {
  const infos = source.interfaces();
  if (!Array.isArray(infos)) {
    throw new TypeError(`source: must list an array of addresses, got ${show(infos)}`);
  }
  const routes = source.defaultRoutes?.() ?? [];
  const groups = Map.groupBy<string, Deno.NetworkInterfaceInfo>(infos, ({ name }) => name);
  return Array.from(groups, ([name, group]) => {
    const addresses = group.map((info) => addressOf(info, source.zones ?? "name"));
    // Deno tells the number only where it is the zone of an address
    const index = group.find(({ scopeid }) => scopeid)?.scopeid ?? undefined;
    const mac = group.find((info) => info.mac && info.mac !== NO_MAC)?.mac;
    const gateways = gatewaysOf(name, addresses, routes);
    return { name, index, mac, kind: guessKind(name), addresses, gateways };
  });
}

/**
 * A card for `JSON.stringify`.
 *
 * @param card The card.
 * @param reason Why it was chosen.
 * @returns What {@linkcode cardFromJson} takes back.
 */
export function cardToJson(card: Card, reason: string | undefined): InterfaceJson {
  const { name, index, mac, kind } = card;
  return {
    name,
    ...(index === undefined ? {} : { index }),
    ...(mac === undefined ? {} : { mac }),
    kind,
    addresses: card.addresses.map(addressText),
    gateways: card.gateways.map(({ gateway, ...rest }) =>
      gateway === undefined ? rest : { gateway, ...rest }
    ),
    ...(reason === undefined ? {} : { reason }),
  };
}

type Bag = Readonly<Record<string, unknown>>;

function bag(value: unknown, what: string): Bag {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${what}: an object is needed, got ${show(value)}`);
  }
  return { ...value };
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`${what}: an array is needed, got ${show(value)}`);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new TypeError(`${what}: a text is needed, got ${show(value)}`);
}

function count(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError(`${what}: a whole number is needed, got ${show(value)}`);
}

function optional<T>(
  value: unknown,
  what: string,
  read: (value: unknown, what: string) => T,
): T | undefined {
  return value === undefined ? undefined : read(value, what);
}

function gatewayFromJson(json: unknown, what: string): Gateway {
  const { family, gateway, metric, rank } = bag(json, what);
  checkFamily(family, `${what}.family`);
  return Object.freeze({
    family,
    gateway: optional(gateway, `${what}.gateway`, text),
    metric: count(metric, `${what}.metric`),
    rank: count(rank, `${what}.rank`),
  });
}

/**
 * Reads a card as {@linkcode cardToJson} wrote it.
 *
 * @param json Any value.
 * @returns The card, and why it was chosen.
 * @throws {TypeError} If it is no such value; the message says where.
 * @throws {RangeError} If a prefix in it is too long.
 */
export function cardFromJson(json: unknown): Card & { readonly reason: string | undefined } {
  const { name, index, mac, kind, addresses, gateways, reason } = bag(json, "json");
  if (!isKind(kind)) throw new TypeError(`json.kind: no kind of card, got ${show(kind)}`);
  return {
    name: text(name, "json.name"),
    index: optional(index, "json.index", count),
    mac: optional(mac, "json.mac", text),
    kind,
    addresses: Array.from(
      list(addresses, "json.addresses"),
      (address, i) => readAddress(address, `json.addresses[${i}]`),
    ),
    gateways: Array.from(
      list(gateways, "json.gateways"),
      (gateway, i) => gatewayFromJson(gateway, `json.gateways[${i}]`),
    ),
    reason: optional(reason, "json.reason", text),
  };
}
