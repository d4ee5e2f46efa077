/**
 * Routes: which local address a pipe uses, and which address others see it under.
 *
 * @module
 */
import { formatAddr } from "../net/address.ts";
import { type IpRange, toRange } from "../net/ip_range.ts";
import { checkFamily } from "../net/ip_span.ts";
import { show } from "../net/show.ts";
import type { Family } from "../pipe/types.ts";
import { checkRanges, setText, shortList } from "./range_list.ts";

/** The local side that {@linkcode Route.bind} chose. */
export interface Bound {
  /** The local address, with its zone. */
  readonly hostname: string;
  /** The local port; 0: any free one. */
  readonly port: number;
}

/** What a {@linkcode Route} is made of. */
export interface RouteOptions {
  /** The family of all addresses in it. */
  readonly family: Family;
  /** The local addresses: one at least. A block is one where the system takes all of it for local. */
  readonly nicIps: readonly (IpRange | string)[];
  /** The addresses under which others see it; none where they are not known. @default {[]} */
  readonly extIps?: readonly (IpRange | string)[] | undefined;
  /** The local side, one of `nicIps`, where it is chosen already. @default {undefined} */
  readonly bound?: Bound | undefined;
}

/** What {@linkcode Route.bind} is to choose. */
export interface BindOptions {
  /** The local port; 0: any free one. @default {0} */
  readonly port?: number | undefined;
  /** The local address, one of the route's. @default {the first one that is not link-local} */
  readonly ip?: IpRange | string | undefined;
}

/** A route as JSON has it; {@linkcode Route}'s constructor takes it back. */
export interface RouteJson {
  /** The family. */
  readonly family: Family;
  /** The local addresses. */
  readonly nicIps: readonly string[];
  /** The addresses that others see. */
  readonly extIps: readonly string[];
  /** The local side, if it is chosen. */
  readonly bound?: Bound;
}

const LOOPBACK = { IPv4: "127.0.0.1", IPv6: "::1" } as const;
const ANY = { IPv4: "0.0.0.0", IPv6: "::" } as const;

const KEYS = ["family", "nicIps", "extIps", "bound"];

function isLocal(range: IpRange): boolean {
  return range.scope === "link-local";
}

/**
 * A way out of this machine: local addresses, and the addresses under which others see them. It never
 * changes: {@linkcode Route.bind} and opening a pipe leave it as it is, and it can be used again.
 *
 * A route can stand wherever a local address can: `pipeOpen(UDP, { route })`.
 *
 * @example
 * ```ts
 * import { pipeOpen, Route, UDP } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const route = Route.loopback("IPv4");
 * await using one = await pipeOpen(UDP, { route: route.bind({ port: 0 }) });
 * await using two = await pipeOpen(UDP, { route });
 * assertEquals([one.localAddr.hostname, two.localAddr.hostname], ["127.0.0.1", "127.0.0.1"]);
 * ```
 */
export class Route {
  /** The family of all addresses in it. */
  readonly family: Family;
  /** The local addresses. */
  readonly nicIps: readonly IpRange[];
  /** The addresses under which others see it; empty where they are not known. */
  readonly extIps: readonly IpRange[];
  /** The local side, where {@linkcode Route.bind} chose one. */
  readonly bound: Bound | undefined;

  /**
   * Makes a route.
   *
   * @param options Family, local addresses and external addresses.
   * @throws {TypeError} If an argument is of a wrong kind.
   * @throws {RangeError} If an address is of another family, or there is no local one.
   */
  constructor(options: RouteOptions) {
    if (typeof options !== "object" || options === null) {
      throw new TypeError(`options: { family, nicIps, extIps } is needed, got ${show(options)}`);
    }
    for (const key of Object.keys(options)) {
      if (!KEYS.includes(key)) {
        throw new TypeError(`options: there is no ${show(key)}, only ${KEYS.join(", ")}`);
      }
    }
    const { family, nicIps, extIps = [], bound } = options;
    checkFamily(family, "family");
    this.family = family;
    this.nicIps = checkRanges(nicIps, family, "nicIps");
    this.extIps = checkRanges(extIps, family, "extIps");
    if (this.nicIps.length === 0) {
      throw new RangeError("nicIps: a route needs one local address at least, got []");
    }
    if (bound !== undefined && (typeof bound !== "object" || bound === null)) {
      throw new TypeError(`bound: { hostname, port } is needed, got ${show(bound)}`);
    }
    this.bound = bound && this.#checkBound(bound.hostname, bound.port, "bound.hostname");
    Object.freeze(this);
  }

  /**
   * The route that leaves the local address to the system.
   *
   * @param family Its family.
   * @returns A route of `0.0.0.0` or `::`.
   * @throws {TypeError} If the family is none.
   */
  static any(family: Family): Route {
    checkFamily(family, "family");
    return new Route({ family, nicIps: [ANY[family]] });
  }

  /**
   * The route to this machine itself.
   *
   * @param family Its family.
   * @returns A route of `127.0.0.1` or `::1`.
   * @throws {TypeError} If the family is none.
   */
  static loopback(family: Family): Route {
    checkFamily(family, "family");
    return new Route({ family, nicIps: [LOOPBACK[family]], extIps: [LOOPBACK[family]] });
  }

  #checkBound(ip: unknown, port: unknown, what: string): Bound {
    const range = toRange(ip, what);
    if (range.size !== 1n) throw new RangeError(`${what}: one address is needed, got ${range}`);
    if (!this.nicIps.some((nicIp) => nicIp.includes(range))) {
      const mine = shortList(this.nicIps);
      throw new RangeError(
        `${what}: ${range} is not a local address of this route, only ${mine}`,
      );
    }
    if (typeof port !== "number" || !Number.isInteger(port) || port < 0 || port > 65535) {
      const got = show(port);
      const name = what.replace(/[a-z]+$/, "port");
      throw new RangeError(`${name}: must be a whole number from 0 to 65535, got ${got}`);
    }
    return Object.freeze({ hostname: String(range), port: port + 0 });
  }

  /** The local address that a pipe binds: the chosen one, else {@linkcode Route.nic}. */
  get hostname(): string {
    return this.bound?.hostname ?? this.nic();
  }

  /** The local port that a pipe binds: the chosen one, else 0 for any free one. */
  get port(): number {
    return this.bound?.port ?? 0;
  }

  /**
   * The local address to use.
   *
   * @returns The first one that is not link-local; where there is none, the first one.
   */
  nic(): string {
    const range = this.nicIps.find((nicIp) => !isLocal(nicIp)) ?? this.nicIps[0];
    return String(range?.first);
  }

  /**
   * The address under which others see this route.
   *
   * @returns The first one, or undefined where it is not known.
   */
  ext(): string | undefined {
    return this.extIps[0]?.first.toString();
  }

  /**
   * The address for machines on the same link.
   *
   * @returns The first link-local address, of IPv6 with its zone; undefined where there is none.
   */
  linkLocal(): string | undefined {
    return this.nicIps.find(isLocal)?.first.toString();
  }

  /**
   * Chooses the local side. This route stays as it is.
   *
   * @param options Local address and port.
   * @returns A new route, bound to them.
   * @throws {TypeError} If an argument is of a wrong kind.
   * @throws {RangeError} If the port is out of range, or the address is none of this route.
   */
  bind(options: BindOptions = {}): Route {
    if (typeof options !== "object" || options === null) {
      throw new TypeError(`options: { port?, ip? } is needed, got ${show(options)}`);
    }
    for (const key of Object.keys(options)) {
      if (key !== "port" && key !== "ip") {
        throw new TypeError(`options: there is no ${show(key)}, only port and ip`);
      }
    }
    const { family, nicIps, extIps } = this;
    const bound = this.#checkBound(options.ip ?? this.nic(), options.port ?? 0, "ip");
    return new Route({ family, nicIps, extIps, bound });
  }

  /**
   * Whether others see both routes under the same addresses. Two routes of which that is not known are
   * the same if their local addresses are. What they are bound to does not count.
   *
   * @param other Another route.
   * @returns True if they do.
   * @throws {TypeError} If it is no route.
   */
  equals(other: Route): boolean {
    checkRoute(other, "other");
    if (this.family !== other.family) return false;
    const known = this.extIps.length > 0;
    if (known !== other.extIps.length > 0) return false;
    return known
      ? setText(this.extIps) === setText(other.extIps)
      : setText(this.nicIps) === setText(other.nicIps);
  }

  /**
   * The local side as text.
   *
   * @returns "10.0.0.5:0", "[::1]:80": a `route` that `pipeOpen` takes, too.
   */
  toString(): string {
    return formatAddr(this);
  }

  /**
   * The route for `JSON.stringify`.
   *
   * @returns What the constructor takes back.
   */
  toJSON(): RouteJson {
    const { family, bound } = this;
    const [nicIps, extIps] = [this.nicIps.map(String), this.extIps.map(String)];
    return bound ? { family, nicIps, extIps, bound } : { family, nicIps, extIps };
  }

  static {
    Object.defineProperty(this.prototype, Symbol.for("Deno.customInspect"), {
      value(this: Route): string {
        const bound = this.bound ? ` bound to ${this}` : "";
        const ext = this.extIps.length > 0 ? shortList(this.extIps) : "not known";
        return `Route(${shortList(this.nicIps)}, seen as ${ext}${bound})`;
      },
    });
  }
}

/**
 * Checks a route.
 *
 * @param route Any value.
 * @param what The argument's name, for the error.
 * @throws {TypeError} If it is none.
 */
export function checkRoute(route: unknown, what: string): asserts route is Route {
  if (!(route instanceof Route)) {
    throw new TypeError(`${what}: a Route is needed, got ${show(route)}`);
  }
}
