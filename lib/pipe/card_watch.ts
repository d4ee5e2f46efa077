import { PipeError } from "../errors.ts";
import { isLoopback, isUnspecified, parseIp } from "../net/ip.ts";
import { Interface } from "../netif/interface.ts";
import { RoutePool } from "../netif/route_pool.ts";
import { Route } from "../netif/route.ts";
import { mayReadInterfaces } from "../netif/source.ts";
import type { CloseInfo, NetAddr, PipeOptions } from "./types.ts";

/** How often to look, milliseconds. */
const INTERVAL = 1000;

/** A pipe that is to end with its card. */
export interface OnCard {
  readonly localAddr: NetAddr;
  readonly closed: Promise<CloseInfo>;
  /** Ends it by an error that none of its calls has met. */
  lose(error: Error): void;
}

const watched = new Set<OnCard>();
let timer: ReturnType<typeof setInterval> | undefined;

/**
 * Ends a pipe when its local address is on no card any more: a socket says nothing of it. Only for those
 * that chose their card, and where the process may read the cards.
 */
export function watchCard(pipe: OnCard, route: PipeOptions["route"]): void {
  const chosen = route instanceof Route || route instanceof Interface || route instanceof RoutePool;
  const ip = parseIp(pipe.localAddr.hostname);
  if (!chosen || ip === undefined || isUnspecified(ip) || isLoopback(ip)) return;
  if (!mayReadInterfaces()) return;
  watched.add(pipe);
  timer ??= setInterval(look, INTERVAL);
  void pipe.closed.then(() => forget(pipe));
}

function forget(pipe: OnCard): void {
  watched.delete(pipe);
  if (watched.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

function look(): void {
  const there = new Set<string>();
  for (const { addresses, name, index } of Interface.list()) {
    for (const { ip } of addresses) {
      there.add(String(ip));
      if (ip.zone === "") continue;
      // Whichever way the pipe's route spells the zone.
      const [bare] = String(ip).split("%");
      there.add(`${bare}%${name}`);
      there.add(`${bare}%${index}`);
    }
  }
  for (const pipe of [...watched]) {
    const { hostname } = pipe.localAddr;
    if (there.has(hostname)) continue;
    forget(pipe);
    pipe.lose(new PipeError(`The local address ${hostname} is on no network card any more`));
  }
}
