import { addrKey } from "../net/address.ts";
import type { NetAddr } from "../pipe/types.ts";
import { UseList } from "../pipe/use_list.ts";
import { Peer } from "./peer.ts";
import type { Sender } from "./sender.ts";

/** Peers that are remembered: those who may be made up, heard and tried, and those who are real. */
const MOST_HEARD = 4096, MOST_TRIED = 4096, MOST_PROVEN = 16_384;

/** Peers that are real, if something is on its way to most of them. */
const MOST_BUSY = 2 * MOST_PROVEN;

/**
 * Bytes for peers that were sent to and have acknowledged nothing, and what one of them counts, and a
 * message beside its own.
 */
const MOST_OWED = 8 * 1024 * 1024, PER_PEER = 1000, PER_MESSAGE = 1000;

/** Blocks of numbers that are remembered, over all peers: about 3 MiB. */
const MOST_BLOCKS = 32_768;

/** What a {@linkcode PeerTable} needs. */
export interface PeerTableOptions {
  /** Whom the socket is for: as good as proven. */
  readonly own?: NetAddr | undefined;
  /** Gives up what is on its way to a peer that has to go. */
  readonly onDropped: (sender: Sender) => void;
}

/** The peers heard from or sent to lately; bounded, however many addresses are made up. */
export class PeerTable {
  readonly #peers = new Map<string, Peer>();
  readonly #lists = {
    heard: new UseList<Peer>(),
    tried: new UseList<Peer>(),
    proven: new UseList<Peer>(),
  };
  readonly #own: string | undefined;
  readonly #onDropped: (sender: Sender) => void;
  #blocks = 0;
  #owed = 0;
  #last: Peer | undefined;
  #lastAddr: NetAddr | undefined;

  constructor({ own, onDropped }: PeerTableOptions) {
    this.#own = own === undefined ? undefined : keyOf(own);
    this.#onDropped = onDropped;
  }

  /** Peers that are remembered. */
  get size(): number {
    return this.#peers.size;
  }

  /** Blocks of their numbers that are remembered. */
  get blocks(): number {
    return this.#blocks;
  }

  /** The peer at an address, if there is one. */
  find(addr: NetAddr): Peer | undefined {
    if (addr !== this.#lastAddr) {
      this.#last = this.#peers.get(keyOf(addr));
      this.#lastAddr = addr;
    }
    const peer = this.#last;
    // Who has acknowledged nothing gains no time by sending.
    if (peer !== undefined && peer.standing !== "tried") this.#lists[peer.standing].use(peer);
    return peer;
  }

  /** The same; a new one if there is none. */
  get(addr: NetAddr): Peer {
    const found = this.find(addr);
    if (found !== undefined) return found;
    const { heard } = this.#lists;
    if (heard.size >= MOST_HEARD) this.#forget(heard.first);
    const peer = new Peer(keyOf(addr));
    this.#peers.set(peer.key, peer);
    heard.add(peer);
    this.#last = peer;
    return peer;
  }

  /**
   * A message is about to be sent to a peer. If it has acknowledged nothing so far, the one among those
   * that was sent to longest ago may have to go.
   *
   * @returns Whether there is room.
   */
  admit(peer: Peer, bytes: number): boolean {
    if (peer.key === this.#own) this.prove(peer);
    if (peer.standing === "proven") return true;
    const { tried } = this.#lists;
    if (peer.standing === "heard") this.#move(peer, "tried");
    else tried.use(peer);
    const owed = bytes + PER_MESSAGE;
    const over = () => this.#owed + owed + tried.size * PER_PEER > MOST_OWED;
    while (tried.size > MOST_TRIED || over()) {
      if (tried.first === peer) return false;
      this.#forget(tried.first);
    }
    this.#owe(peer, owed);
    return true;
  }

  /** That message is settled; what was proven or forgotten since then owes nothing any more. */
  settled(peer: Peer, bytes: number): void {
    if (peer.owed > 0) this.#owe(peer, -bytes - PER_MESSAGE);
  }

  /** A peer has acknowledged something: nobody who makes up addresses pushes it out from here on. */
  prove(peer: Peer): void {
    if (peer.standing === "proven" || this.#peers.get(peer.key) !== peer) return;
    this.#owe(peer, -peer.owed);
    this.#move(peer, "proven");
    const { proven } = this.#lists;
    // What something is on its way to stays; two are looked at for each that comes, so it is bounded.
    for (let looks = 0; looks < 2 && proven.size > MOST_PROVEN; looks++) {
      const { first } = proven;
      if (first?.busy === true && proven.size <= MOST_BUSY) proven.use(first);
      else this.#forget(first);
    }
  }

  /** So many blocks more, or fewer, are held for a peer. */
  grown(by: number): void {
    this.#blocks += by;
    const { heard, tried } = this.#lists;
    while (this.#blocks > MOST_BLOCKS) {
      if (heard.first !== undefined) this.#forget(heard.first);
      else if (!this.#forgetNumbers(tried) && !this.#forgetNumbers(this.#lists.proven)) break;
    }
  }

  #move(peer: Peer, standing: "tried" | "proven"): void {
    this.#lists[peer.standing].remove(peer);
    peer.standing = standing;
    this.#lists[standing].add(peer);
  }

  #owe(peer: Peer, bytes: number): void {
    peer.owed += bytes;
    this.#owed += bytes;
  }

  #forget(peer: Peer | undefined): void {
    if (peer === undefined) return;
    this.#peers.delete(peer.key);
    this.#lists[peer.standing].remove(peer);
    if (peer === this.#last) this.#last = this.#lastAddr = undefined;
    this.#dropNumbers(peer);
    this.#owe(peer, -peer.owed);
    if (peer.sender !== undefined) this.#onDropped(peer.sender);
  }

  #forgetNumbers(list: UseList<Peer>): boolean {
    for (let peer = list.first; peer !== undefined; peer = peer.next) {
      if (peer.seen === undefined) continue;
      this.#dropNumbers(peer);
      return true;
    }
    return false;
  }

  #dropNumbers(peer: Peer): void {
    this.#blocks -= peer.seen?.size ?? 0;
    peer.seen = undefined;
  }
}

/** What a system takes for this host, and who answers then. */
const HERE: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/**
 * One peer, one key. Without the zone: a socket may show it on what comes from an address although it
 * was left out when that was sent to, or the other way round.
 */
function keyOf({ hostname, port }: NetAddr): string {
  const percent = hostname.indexOf("%");
  const host = percent < 0 ? hostname : hostname.slice(0, percent);
  return addrKey(HERE[host] ?? host, port);
}
