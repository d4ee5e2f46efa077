import { addrKey } from "../net/address.ts";
import { byteString } from "./bytes.ts";
import { Ring } from "./ring.ts";
import type { MsgId, NetAddr } from "./types.ts";
import { type Used, UseList } from "./use_list.ts";

/** Characters of ids kept over all peers, so that forged senders cannot fill memory. */
const MOST_CHARS = 4 * 1024 * 1024;
/** What an id costs besides its characters, about. */
const OVERHEAD = 48;

interface Peer extends Used<Peer> {
  readonly key: string;
  readonly ids: Set<string>;
  /** Oldest first: to find the first of a set that forgets from its front, V8 walks over all it forgot. */
  readonly order: Ring<string>;
  size: number;
}

/**
 * Remembers which messages each peer has sent lately. Ids are compared whole, so that no message is
 * ever taken for another one. Past the bound the peer heard from longest ago is forgotten first.
 */
export class MsgIds {
  readonly #most: number;
  readonly #idOf: MsgId | undefined;
  readonly #peers = new Map<string, Peer>();
  readonly #order = new UseList<Peer>();
  #size = 0;

  /**
   * @param most Ids to remember for each peer.
   * @param idOf Takes the id from a message; the whole message by default.
   */
  constructor(most: number, idOf?: MsgId) {
    this.#most = most;
    this.#idOf = idOf;
  }

  /** Characters kept, with what an id costs besides. */
  get size(): number {
    return this.#size;
  }

  /**
   * Whether the peer has sent this before; from now on it has. Throws only what the caller's own
   * function throws.
   */
  seen(data: Uint8Array<ArrayBuffer>, from: NetAddr): boolean {
    const id = this.#key(data, from);
    const key = addrKey(from.hostname, from.port);
    const peer = this.#peers.get(key) ?? this.#add(key);
    this.#order.use(peer);
    if (peer.ids.has(id)) return true;
    peer.ids.add(id);
    peer.order.push(id);
    this.#grow(peer, id.length + OVERHEAD);
    if (peer.ids.size > this.#most) this.#forgetOldest(peer);
    while (this.#size > MOST_CHARS) this.#forgetSomething(peer);
    return false;
  }

  #key(data: Uint8Array<ArrayBuffer>, from: NetAddr): string {
    if (this.#idOf === undefined) return byteString(data);
    const id = this.#idOf(data, from);
    return id instanceof Uint8Array ? `bytes ${byteString(id)}` : `${typeof id} ${id}`;
  }

  #add(key: string): Peer {
    const peer = {
      key,
      ids: new Set<string>(),
      order: new Ring<string>(),
      size: 0,
      prev: undefined,
      next: undefined,
    };
    this.#peers.set(key, peer);
    this.#order.add(peer);
    return peer;
  }

  #forgetSomething(current: Peer): void {
    const { first } = this.#order;
    if (first === undefined || first === current) return this.#forgetOldest(current);
    this.#order.remove(first);
    this.#peers.delete(first.key);
    this.#size -= first.size;
  }

  #forgetOldest(peer: Peer): void {
    const id = peer.order.shift();
    if (id === undefined) return;
    peer.ids.delete(id);
    this.#grow(peer, -(id.length + OVERHEAD));
  }

  #grow(peer: Peer, by: number): void {
    peer.size += by;
    this.#size += by;
  }
}
