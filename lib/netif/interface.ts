/**
 * Network cards.
 *
 * @module
 */
import { PipeError } from "../errors.ts";
import { formatIp, parseIp, unmapIp } from "../net/ip.ts";
import { checkFamily } from "../net/ip_span.ts";
import { show } from "../net/show.ts";
import { checkOptions } from "../pipe/checks.ts";
import type { Family } from "../pipe/types.ts";
import type { ResolveInterfaceOptions } from "../stun/resolve_nic.ts";
import { type Card, cardFromJson, cardToJson, type InterfaceJson, readCards } from "./card.ts";
import type { InterfaceAddress } from "./card_address.ts";
import { routesOf } from "./card_routes.ts";
import { chooseCard, type Gateway } from "./choose.ts";
import type { InterfaceKind } from "./kind.ts";
import type { Route } from "./route.ts";
import { RoutePool } from "./route_pool.ts";
import { type InterfaceSourceLike, toSource } from "./source.ts";
import { type InterfaceChange, watchInterfaces, type WatchInterfacesOptions } from "./watch.ts";

/** Options of {@linkcode Interface.list} and {@linkcode Interface.get}. */
export interface InterfaceOptions {
  /** Where cards are read from. @default {the system} */
  readonly source?: InterfaceSourceLike | undefined;
}

/** Options of {@linkcode Interface.default}. */
export interface DefaultInterfaceOptions extends InterfaceOptions {
  /** What the card must have an address of. @default {either} */
  readonly family?: Family | undefined;
}

/**
 * A network card of this machine and its addresses, as they were when it was read. Reading takes
 * `--allow-sys=networkInterfaces` and nothing else, no network access and no answer of another machine;
 * it never prompts.
 *
 * A card's routes follow from its addresses. Every address that others see as it is (a public one)
 * makes a route of its own, with itself as external address. All private addresses of a family
 * (10.0.0.0/8 and the like, 100.64.0.0/10, fc00::/7) make one route together; the address that a NAT
 * gives it is not known here. The link-local addresses belong to every route. The system does not tell
 * about blocks that are routed to the machine as a whole: put those into a {@linkcode RoutePool} by
 * hand.
 *
 * @example
 * ```ts ignore
 * import { Interface, pipeOpen, UDP } from "@p2pd/pipes";
 *
 * const nic = Interface.default();
 * console.log(nic.name, nic.reason, nic.addresses.map(({ ip }) => String(ip)));
 * await using pipe = await pipeOpen(UDP, { route: nic.route("IPv4") });
 * ```
 */
export class Interface implements Card {
  /** Its name: "eth0", "en0", "Wi-Fi". */
  readonly name: string;
  /** The system's number for it; undefined where Deno does not tell, as for cards of IPv4 alone. */
  readonly index: number | undefined;
  /** The hardware address; undefined where it has none. */
  readonly mac: string | undefined;
  /** What it may be: a guess from the name. */
  readonly kind: InterfaceKind;
  /** Its addresses with their prefixes, in the system's order. */
  readonly addresses: readonly InterfaceAddress[];
  /** The default routes that leave by it; empty also where they cannot be read. */
  readonly gateways: readonly Gateway[];
  /** Why {@linkcode Interface.default} chose it; undefined on others. */
  readonly reason: string | undefined;
  readonly #routes: readonly Route[] | undefined;

  /**
   * Makes a card of its parts; {@linkcode Interface.list} and its like are the usual way to get one.
   *
   * @param card The parts, and its routes where they are known better than by its addresses.
   */
  constructor(
    card: Card & {
      readonly reason?: string | undefined;
      readonly routes?: readonly Route[] | undefined;
    },
  ) {
    this.name = card.name;
    this.index = card.index;
    this.mac = card.mac;
    this.kind = card.kind;
    this.addresses = Object.freeze([...card.addresses]);
    this.gateways = Object.freeze([...card.gateways]);
    this.reason = card.reason;
    this.#routes = card.routes;
    Object.freeze(this);
  }

  /**
   * All cards that have an address.
   *
   * @param options Where to read them.
   * @returns The cards, in the system's order.
   * @throws {PipeError} Of phase "permission", if the process may not read them.
   */
  static list(options: InterfaceOptions = {}): Interface[] {
    const { source } = checkOptions(options, "source");
    return readCards(toSource(source)).map((card) => new Interface(card));
  }

  /**
   * The card for the rest of the world: the one that the system's default route leaves by, where that
   * can be read (on Linux, by a process with `--allow-all`: Deno hands out /proc to no other); else the
   * first one with a global address, else with a private one. A machine without any network gets its
   * loopback. The card's `reason` says which of these it was.
   *
   * @param options The family that it is for, and where to read cards.
   * @returns The card.
   * @throws {PipeError} If no card has an address of the family, or, of phase "permission", if the
   * process may not read them.
   */
  static default(options: DefaultInterfaceOptions = {}): Interface {
    const { family, source } = checkOptions(options, "family", "source");
    if (family !== undefined) checkFamily(family, "family");
    const cards = readCards(toSource(source));
    const choice = chooseCard(cards, family);
    if (choice) return new Interface({ ...choice.card, reason: choice.reason });
    const wanted = family === undefined ? "an address" : `an ${family} address`;
    throw new PipeError(`Cannot choose a card: none has ${wanted}, ${thereAre(cards)}`);
  }

  /**
   * A card by its name, or by one of its addresses.
   *
   * @param name "eth0", or "192.168.1.5".
   * @param options Where to read cards.
   * @returns The card.
   * @throws {RangeError} If there is no such card; the message lists those there are.
   * @throws {PipeError} Of phase "permission", if the process may not read them.
   */
  static get(name: string, options: InterfaceOptions = {}): Interface {
    if (typeof name !== "string") throw new TypeError(`name: a text is needed, got ${show(name)}`);
    const cards = Interface.list(options);
    const found = cards.find((card) => card.name === name);
    if (found) return found;
    const parsed = parseIp(name);
    if (!parsed) throw new RangeError(`name: no card ${show(name)}, ${thereAre(cards)}`);
    const ip = unmapIp(parsed);
    const owners = cards.filter(({ addresses, name: card, index }) =>
      addresses.some(({ ip: own }) => {
        if (own.family !== ip.family || own.value !== ip.value) return false;
        return ip.zone === "" || [own.zone, card, String(index)].includes(ip.zone);
      })
    );
    const [owner, another] = owners;
    if (owner && !another) return owner; // without its zone a link-local address may be on many
    throw new RangeError(`name: no card has the address ${formatIp(ip)}, ${thereAre(cards, true)}`);
  }

  /**
   * Tells when addresses come and go, by reading them again and again. What changes while nobody waits
   * is told, in one, to the next who does. Leaving the loop ends it.
   *
   * @param options How often to look, what ends the watch, and where to read cards.
   * @returns An iterator of changes. It rejects with `signal.reason` when the signal is aborted.
   * @throws {PipeError} Of phase "permission", if the process may not read them.
   */
  static watch(options: WatchInterfacesOptions = {}): AsyncGenerator<InterfaceChange, void, void> {
    const { source, ...rest } = checkOptions(options, "interval", "signal", "source");
    return watchInterfaces(() => Interface.list({ source }), rest);
  }

  /**
   * The families that the card has an address of.
   *
   * @returns "IPv4", "IPv6" or both.
   */
  supported(): Family[] {
    const has = (family: Family) => this.addresses.some((address) => address.family === family);
    return (["IPv4", "IPv6"] as const).filter(has);
  }

  /**
   * All routes of a family.
   *
   * @param family The family.
   * @returns Its routes: public ones in the system's order, then the private one.
   * @throws {RangeError} If the card has no address of the family.
   */
  routes(family: Family): RoutePool {
    checkFamily(family, "family");
    const routes = this.#routes?.filter((route) => route.family === family) ??
      routesOf(this.addresses, family);
    if (routes.length > 0) return new RoutePool(routes);
    const has = this.supported().join(" and ") || "none";
    throw new RangeError(`family: ${this.name} has no ${family} address, only ${has}`);
  }

  /**
   * The first route of a family.
   *
   * @param family The family. @default {IPv4, where the card has it}
   * @returns A route that is not bound.
   * @throws {RangeError} If the card has no address of the family.
   */
  route(family: Family = this.supported()[0] ?? "IPv4"): Route {
    const [route] = this.routes(family).routes;
    if (!route) throw new RangeError(`family: ${this.name} has no ${family} address`);
    return route;
  }

  /**
   * Asks STUN servers under which addresses others see the card (RFC 8489): about each of its addresses,
   * from that address, all at once. Nothing else does this: reading a card and opening a pipe ask
   * nobody.
   *
   * @param options Whom to ask, how, and how long the answer is good for.
   * @returns The same card with external addresses in its routes: those that are seen under one address
   * make one route. What nobody answered about is as before.
   * @throws {TypeError} If an option is of a wrong kind. Nobody was asked.
   * @throws {RangeError} If a number is out of its range. Nobody was asked.
   * @throws {PipeError} If there was no answer for any of its addresses; the cause has the errors.
   *
   * @example
   * ```ts ignore
   * import { Interface } from "@p2pd/pipes";
   *
   * const nic = await Interface.default().resolve({ servers: ["stun:stun.example.org"] });
   * console.log(nic.route("IPv4").ext());
   * ```
   */
  async resolve(options: ResolveInterfaceOptions): Promise<Interface> {
    const { resolveNic } = await import("../stun/resolve_nic.ts");
    return await resolveNic(this, options);
  }

  /**
   * The card for `JSON.stringify`.
   *
   * @returns What {@linkcode Interface.fromJSON} takes back.
   */
  toJSON(): InterfaceJson {
    const json = cardToJson(this, this.reason);
    return this.#routes === undefined
      ? json
      : { ...json, routes: this.#routes.map((route) => route.toJSON()) };
  }

  /**
   * Makes a card of what {@linkcode Interface.toJSON} gave, on this machine or another one.
   *
   * @param json The value, checked like every other argument.
   * @returns An equal card.
   * @throws {TypeError} If it is no such value; the message says where.
   * @throws {RangeError} If a prefix in it is too long.
   */
  static fromJSON(json: InterfaceJson): Interface {
    const card = cardFromJson(json), { routes } = json;
    if (routes === undefined) return new Interface(card);
    return new Interface({ ...card, routes: RoutePool.fromJSON(routes).routes });
  }

  static {
    Object.defineProperty(this.prototype, Symbol.for("Deno.customInspect"), {
      value(this: Interface): string {
        const { name, kind, addresses } = this.toJSON();
        return `Interface(${name}, ${kind}: ${addresses.join(", ")})`;
      },
    });
  }
}

/** The cards there are, for a message. */
function thereAre(cards: readonly Card[], withAddresses = false): string {
  if (cards.length === 0) return "there are none";
  const texts = cards.slice(0, 16).map(({ name, addresses }) => {
    if (!withAddresses) return name;
    return `${name} (${addresses.map(({ ip }) => String(ip)).join(", ")})`;
  });
  return `there are ${texts.join(", ")}${cards.length > 16 ? ", …" : ""}`;
}

/**
 * The names of all network cards that have an address.
 *
 * @param source Where to read them; the system by default.
 * @returns The names, in the system's order.
 * @throws {PipeError} Of phase "permission", if the process may not read them; the message names the
 * flag.
 */
export function listInterfaces(source?: InterfaceSourceLike): string[] {
  return Interface.list({ source }).map(({ name }) => name);
}
