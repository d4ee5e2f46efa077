/**
 * Under which addresses others see a network card.
 *
 * @module
 */
import { PipeError } from "../errors.ts";
import { parseIp } from "../net/ip.ts";
import { type IpRange, toRange } from "../net/ip_range.ts";
import { show } from "../net/show.ts";
import { routesOf } from "../netif/card_routes.ts";
import { Interface } from "../netif/interface.ts";
import { Route } from "../netif/route.ts";
import { checkMs } from "../pipe/checks.ts";
import type { Family } from "../pipe/types.ts";
import { checkOptions, type StunOptions } from "./get_mapping.ts";
import { getMappings } from "./get_mappings.ts";
import type { StunServerName } from "./uri.ts";

/** Options of {@linkcode Interface.resolve}. */
export interface ResolveInterfaceOptions extends Omit<StunOptions, "route"> {
  /** Whom to ask, as of {@linkcode getMappings}; one at least. */
  readonly servers: readonly StunServerName[];
  /**
   * Blocks of addresses that are routed to this machine: each becomes a route if its first and its last
   * address are both seen as they are. @default {[]}
   */
  readonly blocks?: readonly (IpRange | string)[] | undefined;
  /** How old an earlier answer to the same question may be, in milliseconds; 0: ask. @default {600000} */
  readonly lifetime?: number | undefined;
}

const LIFETIME = 600_000;
/** Earlier answers that are kept; more than a machine has cards. */
const MAX_KEPT = 64;

interface Kept {
  readonly routes: readonly Route[];
  readonly at: number;
}

const kept = new Map<string, Kept>();
const ids = new WeakMap<object, number>();
let lastId = 0;

/** Tells objects apart in a key: two confs may trust different servers. */
function idOf(object: object | undefined): number {
  if (object === undefined) return 0;
  const id = ids.get(object) ?? ++lastId;
  ids.set(object, id);
  return id;
}

/** A local address, and what others see it as, where that is known. */
export interface Seen {
  readonly ip: IpRange;
  readonly ext: string | undefined;
}

/** Asks about each address of the card, all at once. */
export async function resolveNic(
  nic: Interface,
  options: ResolveInterfaceOptions,
): Promise<Interface> {
  checkOptions(options, "servers", "blocks", "lifetime");
  const { servers, blocks = [], lifetime = LIFETIME, ...common } = options;
  checkMs(lifetime, "lifetime");
  if ("route" in common) throw new TypeError("route: is the card itself; leave it out");
  if (!Array.isArray(blocks)) {
    throw new TypeError(`blocks: a list of blocks is needed, got ${show(blocks)}`);
  }
  const ranges = blocks.map((block: IpRange | string, i) => toRange(block, `blocks[${i}]`));
  common.signal?.throwIfAborted();
  const { name, addresses } = nic;
  const key = JSON.stringify([
    [name, ...addresses.map(({ ip }) => ip), ...ranges],
    [servers, common.proto, common.credentials?.username],
    [idOf(common.conf), idOf(common.lookupSrv)],
  ]);
  const earlier = kept.get(key);
  if (earlier !== undefined && performance.now() - earlier.at < lifetime) {
    return new Interface({ ...nic, routes: earlier.routes });
  }
  const ask = async (ip: IpRange): Promise<string | Error> => {
    try {
      const { family } = ip, route = new Route({ family, nicIps: [ip] });
      const { hostname } = await getMappings({ ...common, servers, route, family });
      if (hostname === undefined) return new PipeError(`No majority among the answers for ${ip}`);
      if (parseIp(hostname)?.family === family) return hostname;
      return new PipeError(`Behind ${ip} is ${hostname}, of another family`); // NAT64 (RFC 6146)
    } catch (error) {
      if (error instanceof TypeError || error instanceof RangeError) throw error;
      common.signal?.throwIfAborted();
      return error instanceof Error ? error : new Error(String(error));
    }
  };
  const asked = addresses.map(({ ip }) => ip).filter(({ scope }) => scope !== "link-local");
  const [answers, proofs] = await Promise.all([
    Promise.all(asked.map(ask)),
    Promise.all(ranges.map(({ first, last }) => Promise.all([ask(first), ask(last)]))),
  ]);
  const errors = [...answers, ...proofs.flat()].filter((answer) => answer instanceof Error);
  if (errors.length === answers.length + 2 * proofs.length) {
    const cause = new AggregateError(errors, "nobody answered");
    throw new PipeError(`Cannot learn how others see ${name}: no answer for any address`, {
      cause,
    });
  }
  const seen = asked.map((ip, i) => {
    const answer = answers[i];
    return { ip, ext: typeof answer === "string" ? answer : undefined };
  });
  const proven = ranges.filter(({ first, last }, i) =>
    proofs[i]?.[0] === String(first) && proofs[i]?.[1] === String(last)
  );
  const routes = (["IPv4", "IPv6"] as const).flatMap((family) => [
    ...proven.filter((block) => block.family === family)
      .map((block) => new Route({ family, nicIps: [block], extIps: [block] })),
    ...routesSeen(nic, family, seen.filter(({ ip }) => ip.family === family)),
  ]);
  kept.delete(key);
  kept.set(key, { routes, at: performance.now() });
  for (const oldest of kept.keys()) {
    if (kept.size <= MAX_KEPT) break;
    kept.delete(oldest);
  }
  return new Interface({ ...nic, routes });
}

/**
 * The routes of a family: addresses that are seen under the same one share a route; those of which
 * nothing was learned have what their card alone says, without the others.
 */
export function routesSeen(nic: Interface, family: Family, seen: readonly Seen[]): Route[] {
  const linkLocals = nic.addresses.map(({ ip }) => ip)
    .filter((ip) => ip.family === family && ip.scope === "link-local");
  const known = seen.filter(({ ext }) => ext !== undefined);
  const groups = Map.groupBy(known, ({ ext }) => ext ?? "");
  const routes = Array.from(groups, ([ext, group]) => {
    const nicIps = [...group.map(({ ip }) => ip), ...linkLocals];
    return new Route({ family, nicIps, extIps: [ext] });
  });
  for (const route of routesOf(nic.addresses, family)) {
    const left = route.nicIps.filter((ip) => !known.some((one) => one.ip.equals(ip)));
    const own = left.filter(({ scope }) => scope !== "link-local");
    // Its link-local addresses are in the other routes already, where there are any.
    if (own.length === 0 && routes.length > 0) continue;
    if (left.length > 0) routes.push(new Route({ family, nicIps: left, extIps: route.extIps }));
  }
  return routes;
}
