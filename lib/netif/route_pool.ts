/**
 * Many routes, one for each address that others see.
 *
 * @module
 */
import { toIndex, toSlice } from "../net/ip_index.ts";
import { type IpRange, toRange } from "../net/ip_range.ts";
import { show } from "../net/show.ts";
import { checkRoute, Route, type RouteJson } from "./route.ts";

/** A route whose external address is not known stands for one all the same. */
function sizeOf({ extIps }: Route): bigint {
  return extIps.length === 0 ? 1n : extIps.reduce((sum, { size }) => sum + size, 0n);
}

/**
 * The route with these of its external addresses alone. Those that are the card's own are its local
 * addresses too, next to the link-local ones; behind a NAT the local addresses stay.
 */
function narrow(route: Route, extIps: readonly IpRange[]): Route {
  const own = extIps.every((ext) => route.nicIps.some((nicIp) => nicIp.includes(ext)));
  const linkLocals = route.nicIps.filter(({ scope }) => scope === "link-local");
  const nicIps = own ? unique([...extIps, ...linkLocals]) : route.nicIps;
  const { family, bound } = route;
  const keeps = bound && nicIps.some((nicIp) => nicIp.includes(bound.hostname));
  return new Route({ family, nicIps, extIps, bound: keeps ? bound : undefined });
}

function unique(ranges: readonly IpRange[]): IpRange[] {
  return [...new Map(ranges.map((range) => [String(range), range])).values()];
}

/** The external addresses at these positions of a route. */
function part(route: Route, start: bigint, count: bigint): Route {
  if (count === sizeOf(route)) return route; // so is one of which nothing is known
  const extIps: IpRange[] = [];
  let from = start, left = count;
  for (const ext of route.extIps) {
    const piece = from < ext.size && left > 0n ? ext.slice(from, from + left) : undefined;
    if (piece) {
      extIps.push(piece);
      left -= piece.size;
    }
    from = from > ext.size ? from - ext.size : 0n;
  }
  return narrow(route, extIps);
}

/** What is left of a range, at either end of what is taken away. */
function subtract(range: IpRange, taken: IpRange): IpRange[] {
  if (!range.overlaps(taken)) return [range];
  const from = taken.value - range.value;
  const before = from > 0n ? range.slice(0n, from) : undefined;
  const to = from + taken.size;
  const after = to < range.size ? range.slice(to) : undefined;
  return [before, after].filter((piece) => piece !== undefined);
}

/**
 * Routes in a row, counted by external address: `at(i)` is the route that others see under the i-th
 * one. A route whose external address is not known counts as one. Blocks are not spelled out, so one of
 * 2 ** 64 addresses takes no more time or memory than one address.
 *
 * @example
 * ```ts
 * import { Route, RoutePool } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const family = "IPv6", block = "2001:db8:0:1::/64"; // one that is routed to this machine
 * const pool = new RoutePool([new Route({ family, nicIps: [block], extIps: [block] })]);
 * assertEquals(pool.length, 2n ** 64n);
 * assertEquals(pool.at(-1)?.ext(), "2001:db8:0:1:ffff:ffff:ffff:ffff");
 * assertEquals(pool.without("2001:db8:0:1::").at(0)?.ext(), "2001:db8:0:1::1");
 * ```
 */
export class RoutePool implements Iterable<Route> {
  /** The routes as they are, blocks as blocks. */
  readonly routes: readonly Route[];
  /** How many external addresses there are; a bigint, since they may be more than a number counts. */
  readonly length: bigint;

  /**
   * Makes a pool.
   *
   * @param routes The routes, in order.
   * @throws {TypeError} If something else is among them.
   */
  constructor(routes: Iterable<Route>) {
    if (typeof routes !== "object" || routes === null || !(Symbol.iterator in routes)) {
      throw new TypeError(`routes: an array of Route is needed, got ${show(routes)}`);
    }
    const list = [...routes];
    for (const [i, route] of list.entries()) checkRoute(route, `routes[${i}]`);
    this.routes = Object.freeze(list);
    this.length = list.reduce((sum, route) => sum + sizeOf(route), 0n);
    Object.freeze(this);
  }

  /**
   * One of the routes.
   *
   * @param index Its position by external address, from 0 on; a negative one counts from the end.
   * @returns A route with this external address alone, or undefined where there is none.
   */
  at(index: number | bigint): Route | undefined {
    const i = toIndex(index, "index");
    let from = i < 0n ? i + this.length : i;
    if (from < 0n) return undefined;
    for (const route of this.routes) {
      const size = sizeOf(route);
      if (from < size) return part(route, from, 1n);
      from -= size;
    }
    return undefined;
  }

  /**
   * Some of the external addresses, across the borders of routes.
   *
   * @param start The first position; a negative one counts from the end.
   * @param end The position to stop before. @default {this.length}
   * @returns A pool of them; an empty one if there are none.
   */
  slice(start: number | bigint = 0, end?: number | bigint): RoutePool {
    const [first, count] = toSlice(start, end, this.length);
    const routes: Route[] = [];
    let from = first, left = count;
    for (const route of this.routes) {
      const size = sizeOf(route), room = size - from;
      if (room > 0n && left > 0n) {
        const some = left < room ? left : room;
        routes.push(part(route, from, some));
        left -= some;
      }
      from = from > size ? from - size : 0n;
    }
    return new RoutePool(routes);
  }

  /** Goes through the external addresses, a route for each. */
  *[Symbol.iterator](): Generator<Route, void, void> {
    for (const route of this.routes) {
      const size = sizeOf(route);
      for (let i = 0n; i < size; i++) yield part(route, i, 1n);
    }
  }

  /**
   * Goes through them from the last one to the first.
   *
   * @returns An iterator.
   */
  *reversed(): Generator<Route, void, void> {
    for (const route of this.routes.toReversed()) {
      for (let i = sizeOf(route); i > 0n;) yield part(route, --i, 1n);
    }
  }

  /**
   * Finds an external address.
   *
   * @param wanted An address, or a route: then by its first external address, or, where that is not
   * known, by its local ones.
   * @returns The first position of it, for {@linkcode RoutePool.at}; undefined if it is not there.
   * @throws {TypeError} If it is neither.
   */
  locate(wanted: Route | IpRange | string): bigint | undefined {
    const ip = wanted instanceof Route ? wanted.extIps[0]?.first : toRange(wanted, "wanted");
    let before = 0n;
    for (const route of this.routes) {
      if (ip === undefined && wanted instanceof Route && route.equals(wanted)) return before;
      let inside = 0n;
      for (const ext of route.extIps) {
        if (ip && ext.includes(ip)) return before + inside + ip.value - ext.value;
        inside += ext.size;
      }
      before += sizeOf(route);
    }
    return undefined;
  }

  /**
   * The routes that are seen under other addresses than these.
   *
   * @param taken Addresses, or routes: then all their external addresses; one of which none is known
   * takes away the routes equal to it.
   * @returns A pool of what is left; `at(0)` is the first other one.
   * @throws {TypeError} If one of them is neither.
   */
  without(...taken: readonly (Route | IpRange | string)[]): RoutePool {
    const unknown: Route[] = [];
    const ranges: IpRange[] = [];
    for (const [i, one] of taken.entries()) {
      if (!(one instanceof Route)) ranges.push(toRange(one, `taken[${i}]`));
      else if (one.extIps.length === 0) unknown.push(one);
      else ranges.push(...one.extIps);
    }
    const routes: Route[] = [];
    for (const route of this.routes) {
      if (route.extIps.length === 0) {
        if (!unknown.some((one) => one.equals(route))) routes.push(route);
        continue;
      }
      let left = [...route.extIps];
      for (const range of ranges) left = left.flatMap((ext) => subtract(ext, range));
      if (left.length === 0) continue;
      const same = left.length === route.extIps.length &&
        left.every((ip, i) => ip === route.extIps[i]);
      routes.push(same ? route : narrow(route, left));
    }
    return new RoutePool(routes);
  }

  /**
   * The pool for `JSON.stringify`, blocks as blocks.
   *
   * @returns What {@linkcode RoutePool.fromJSON} takes back.
   */
  toJSON(): RouteJson[] {
    return this.routes.map((route) => route.toJSON());
  }

  /**
   * Makes a pool of what {@linkcode RoutePool.toJSON} gave.
   *
   * @param json The value, checked like every other argument.
   * @returns An equal pool.
   * @throws {TypeError} If it is no such value.
   * @throws {RangeError} If an address in it is wrong.
   */
  static fromJSON(json: readonly RouteJson[]): RoutePool {
    if (!Array.isArray(json)) throw new TypeError(`json: an array is needed, got ${show(json)}`);
    return new RoutePool(json.map((route: RouteJson) => new Route(route)));
  }

  static {
    Object.defineProperty(this.prototype, Symbol.for("Deno.customInspect"), {
      value(this: RoutePool): string {
        const texts = this.routes.slice(0, 4).map((route) =>
          route.ext() ?? `unknown of ${route.nic()}`
        );
        const more = this.routes.length > 4 ? ", …" : "";
        return `RoutePool(${this.length}: ${texts.join(", ")}${more})`;
      },
    });
  }
}
