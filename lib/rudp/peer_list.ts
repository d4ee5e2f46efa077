import type { SeenNumbers } from "./seen.ts";
import type { Sender } from "./sender.ts";

/** A peer, as far as anything is known of it. */
export class Peer {
  /** What it is found by. */
  readonly key: string;
  /** What is sent to it, if anything ever was. */
  sender: Sender | undefined;
  /** What was taken from it. */
  seen: SeenNumbers | undefined;
  /**
   * Whether it was heard only, was sent to without acknowledging anything so far, or has acknowledged
   * something: nobody who makes up senders can bring about the last.
   */
  standing: "heard" | "tried" | "proven" = "heard";
  /** What waits for its first acknowledgement, in bytes; the table's own. */
  owed = 0;
  /** The neighbours; the list's own. */
  prev: Peer | undefined;
  next: Peer | undefined;

  constructor(key: string) {
    this.key = key;
  }

  /** Whether something is on its way to it. */
  get busy(): boolean {
    return this.sender !== undefined && this.sender.pending > 0;
  }
}

/**
 * Peers in the order in which they were last used. A list, because a `Map` whose first entry is deleted
 * again and again looks through all the gaps for the next one.
 */
export class PeerList {
  #first: Peer | undefined;
  #last: Peer | undefined;
  #size = 0;

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** The one used longest ago. */
  get first(): Peer | undefined {
    return this.#first;
  }

  /** Adds one that is in no list. */
  add(peer: Peer): void {
    peer.prev = this.#last;
    if (this.#last === undefined) this.#first = peer;
    else this.#last.next = peer;
    this.#last = peer;
    this.#size++;
  }

  /** Takes out one that is in this list. */
  remove(peer: Peer): void {
    if (peer.prev === undefined) this.#first = peer.next;
    else peer.prev.next = peer.next;
    if (peer.next === undefined) this.#last = peer.prev;
    else peer.next.prev = peer.prev;
    peer.prev = peer.next = undefined;
    this.#size--;
  }

  /** One of this list is used. */
  use(peer: Peer): void {
    if (peer === this.#last) return;
    this.remove(peer);
    this.add(peer);
  }
}
