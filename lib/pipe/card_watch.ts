import { PipeError } from "../errors.ts";
import { formatIp, isLinkLocal, isLoopback, isUnspecified, parseIp } from "../net/ip.ts";
import { Interface } from "../netif/interface.ts";
import { RoutePool } from "../netif/route_pool.ts";
import { Route } from "../netif/route.ts";
import { mayReadInterfaces } from "../netif/source.ts";
import type { CloseInfo, NetAddr } from "./types.ts";
import type { PipeOptions } from "./pipe_options.ts";

/** How often to look, milliseconds. */
const INTERVAL = 1000;

/** A pipe that is to end with its card. */
export interface OnCard {
  readonly localAddr: NetAddr;
  readonly closed: Promise<CloseInfo>;
  /** Ends it by an error that none of its calls has met. */
  lose(error: Error): void;
}

/** Each with whether its address was seen on a card. */
const watched = new Map<OnCard, boolean>();
let timer: ReturnType<typeof setInterval> | undefined;

/**
 * Ends a pipe when its local address is on no card any more: a socket says nothing of it. Only for those
 * that chose their card and have an address of one (a routed block is on none), and where the process
 * may read the cards.
 */
export function watchCard(pipe: OnCard, route: PipeOptions["route"]): void {
  const chosen = route instanceof Route || route instanceof Interface || route instanceof RoutePool;
  const { hostname } = pipe.localAddr;
  const ip = parseIp(hostname);
  if (!chosen || ip === undefined || isUnspecified(ip) || isLoopback(ip)) return;
  const there = addressesNow();
  if (there === "denied" || there?.has(hostname) === false) return;
  watched.set(pipe, there !== undefined);
  timer ??= setInterval(look, INTERVAL);
  void pipe.closed.then(() => forget(pipe));
}

/** All addresses there are; undefined where the system does not tell now, for want of a file handle. */
function addressesNow(): ReadonlySet<string> | "denied" | undefined {
  if (!mayReadInterfaces()) return "denied";
  let cards;
  try {
    cards = Deno.networkInterfaces();
  } catch {
    return undefined;
  }
  const there = new Set<string>();
  for (const { address, name, scopeid } of cards) {
    const ip = parseIp(address);
    if (ip === undefined) continue;
    const bare = formatIp({ ...ip, zone: "" });
    there.add(bare);
    if (ip.family === "IPv4" || !isLinkLocal(ip)) continue;
    // Whichever way a route spells the zone.
    there.add(`${bare}%${name}`);
    there.add(`${bare}%${scopeid}`);
  }
  return there;
}

function forget(pipe: OnCard): void {
  watched.delete(pipe);
  if (watched.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

function look(): void {
  const there = addressesNow();
  if (there === undefined) return;
  for (const [pipe, seen] of [...watched]) {
    const { hostname } = pipe.localAddr;
    if (there !== "denied" && there.has(hostname)) {
      watched.set(pipe, true);
      continue;
    }
    forget(pipe);
    if (there === "denied" || !seen) continue;
    pipe.lose(new PipeError(`The local address ${hostname} is on no network card any more`));
  }
}
