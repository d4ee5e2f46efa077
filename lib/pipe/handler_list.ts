import { type Filter, peerKeys } from "./filter.ts";
import type { MsgCb, NetAddr } from "./types.ts";

/** A message handler in a pipe's list. */
export interface Handler {
  readonly cb: MsgCb;
  /** Which messages; undefined: all. */
  readonly filter: Filter | undefined;
}

/** A handler and its place in the list. */
type Placed = readonly [place: number, handler: Handler];

/**
 * The message handlers of a pipe, in the order in which they are called. Never changed, so that the
 * connections of a server share one list.
 */
export class HandlerList {
  /** The empty list. */
  static readonly NONE = new HandlerList();
  readonly all: readonly Handler[];
  /** Whether some of them hear a single peer. */
  readonly #choosy: boolean;
  /** Those who hear anybody, and those who hear one peer, found by its address. Made when needed. */
  #anybody: readonly Placed[] = [];
  #byPeer: Map<string, Placed[]> | undefined;

  constructor(all: readonly Handler[] = []) {
    this.all = all;
    this.#choosy = all.some(({ filter }) => filter?.peer !== undefined);
  }

  /** Number of handlers. */
  get size(): number {
    return this.all.length;
  }

  /** Whether it is there, or, as no subscription, one with the same function. */
  has(handler: Handler): boolean {
    const { cb, filter } = handler;
    const isSame = (h: Handler) => h.cb === cb && h.filter === undefined;
    return this.all.includes(handler) || (filter === undefined && this.all.some(isSame));
  }

  /** The list with one more. */
  with(handler: Handler): HandlerList {
    return new HandlerList([...this.all, handler]);
  }

  /** The list with one less. */
  without(handler: Handler): HandlerList {
    return new HandlerList(this.all.filter((h) => h !== handler));
  }

  /** Those who hear a sender; what the message must contain is not looked at. */
  for(from: NetAddr): readonly Handler[] {
    return this.#choosy ? this.#choose(from) : this.all;
  }

  #choose(from: NetAddr): readonly Handler[] {
    const byPeer = this.#byPeer ??= this.#index();
    const found = [...this.#anybody];
    for (const key of peerKeys(from)) {
      const group = byPeer.get(key);
      if (group !== undefined) found.push(...group);
    }
    return found.sort(([a], [b]) => a - b).map(([, handler]) => handler);
  }

  #index(): Map<string, Placed[]> {
    const anybody: Placed[] = [], byPeer = new Map<string, Placed[]>();
    for (const placed of this.all.entries()) {
      const peer = placed[1].filter?.peer;
      if (peer === undefined) anybody.push(placed);
      else {
        const group = byPeer.get(peer);
        if (group === undefined) byPeer.set(peer, [placed]);
        else group.push(placed);
      }
    }
    this.#anybody = anybody;
    return byPeer;
  }
}
