import { addrKey } from "../net/address.ts";
import { Asked, type Seeker } from "./asked.ts";
import { isSame } from "./peer.ts";
import { Pace, type Try } from "./request_pace.ts";
import { matches } from "./subscription.ts";
import type { Message, NetAddr } from "./types.ts";
import { type Wait, WaitList } from "./wait_list.ts";

/** A `request` in progress. */
export interface Asking extends Wait<Asking>, Try, Seeker {
  /** Who must answer; undefined until that is known. */
  readonly to: NetAddr | undefined;
  /** Whether that is the address of many, so that anybody may answer. */
  readonly group: boolean;
  /** Ends it with its reply. */
  answer(message: Message): void;
  /** Ends it with an error. */
  fail(error: unknown): void;
}

/** Somebody who is asked. */
interface Peer {
  /** Those who wait for an answer. */
  readonly asked: Asked<Asking>;
  readonly pace: Pace;
}

interface Open {
  readonly all: Set<Asking>;
  readonly peers: Map<string, Peer>;
  /** Those of the peers that are many. */
  readonly groups: Set<Peer>;
}

/**
 * The `request` calls in progress on one pipe. A message is looked up by its sender, so that it meets
 * only those who asked that one; all of their time limits are on one timer.
 */
export class RequestBook {
  /** Made when needed: most pipes never ask. */
  #open: Open | undefined;
  #limits: WaitList<Asking> | undefined;
  #last = 0;

  /** How many are in progress. */
  get size(): number {
    return this.#open === undefined ? 0 : this.#open.all.size;
  }

  /** Their time limits. */
  get limits(): WaitList<Asking> {
    return this.#limits ??= new WaitList(false);
  }

  /**
   * One begins.
   *
   * @returns Its place in the order of all.
   */
  add(request: Asking): number {
    this.#open ??= { all: new Set(), peers: new Map(), groups: new Set() };
    this.#open.all.add(request);
    return ++this.#last;
  }

  /** It asks its peer as soon as there is room for it on the way. Whether that was at once. */
  go(request: Asking, to: NetAddr, lossy: boolean): boolean {
    const peers = this.#open?.peers ?? new Map<string, Peer>();
    const key = keyOf(to);
    let peer = peers.get(key);
    if (peer === undefined) peers.set(key, peer = { asked: new Asked(), pace: new Pace(lossy) });
    if (request.group) this.#open?.groups.add(peer);
    return peer.pace.go(request);
  }

  /** It is going to be sent, and gets what matches from now on. */
  listen(request: Asking, to: NetAddr): void {
    this.#open?.peers.get(keyOf(to))?.asked.add(request);
  }

  /** It is over. */
  delete(request: Asking): void {
    const { to } = request;
    this.#open?.all.delete(request);
    if (to === undefined) return;
    const key = keyOf(to);
    const peer = this.#open?.peers.get(key);
    if (peer === undefined) return;
    peer.asked.delete(request);
    peer.pace.leave(request);
    if (peer.asked.size > 0 || peer.pace.busy) return;
    this.#open?.peers.delete(key);
    this.#open?.groups.delete(peer);
  }

  /**
   * Gives a message to the request it answers: of those it matches, the one that waits longest.
   *
   * @returns Whether there is one.
   */
  answer(data: Uint8Array<ArrayBuffer>, from: NetAddr, report: (error: unknown) => void): boolean {
    if (this.#open === undefined) return false;
    const { peers, groups } = this.#open;
    const wanted = (request: Asking, sure: boolean) => {
      const { to, filter, group } = request;
      if (to === undefined || (!group && to !== from && !isSame(to, from))) return false;
      return sure || matches(filter, data, from, report);
    };
    let peer = peers.get(keyOf(from));
    let request = peer?.asked.find(data, wanted);
    for (const group of groups) {
      const found = group.asked.find(data, wanted);
      if (found === undefined || (request !== undefined && request.order < found.order)) continue;
      peer = group;
      request = found;
    }
    // A filter is the caller's and may have ended it.
    if (!request?.open) return false;
    peer?.pace.answered(request);
    request.answer([data, from]);
    return true;
  }

  /** Ends all of them. */
  fail(error: unknown): void {
    if (this.#open === undefined) return;
    // Those that wait for their turn must not have it now.
    for (const { pace } of this.#open.peers.values()) pace.drop();
    for (const request of this.#open.all) request.fail(error);
  }
}

/** The same for addresses that are the same: one without a zone is the same in every zone. */
function keyOf({ hostname, port, path }: NetAddr): string {
  const zone = path === undefined ? hostname.indexOf("%") : -1;
  return addrKey(zone < 0 ? hostname : hostname.slice(0, zone), port);
}
