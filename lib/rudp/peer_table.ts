import { addrKey } from "../net/address.ts";
import type { NetAddr } from "../pipe/types.ts";
import { Peer, PeerList } from "./peer_list.ts";

/** Peers that are remembered: those who may be made up, and those who were sent to. */
const MOST_UNPROVEN = 4096, MOST_KNOWN = 16_384;

/** Blocks of numbers that are remembered, over all peers: about 3 MiB. */
const MOST_BLOCKS = 32_768;

/** The peers heard from or sent to lately; bounded, however many addresses are made up. */
export class PeerTable {
  readonly #peers = new Map<string, Peer>();
  /** Who was heard only, and who was sent to. */
  readonly #unproven = new PeerList();
  readonly #known = new PeerList();
  #blocks = 0;
  #last: Peer | undefined;
  #lastAddr: NetAddr | undefined;

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
    if (peer !== undefined) this.#listOf(peer).use(peer);
    return peer;
  }

  /** The same; a new one if there is none. */
  get(addr: NetAddr): Peer {
    const found = this.find(addr);
    if (found !== undefined) return found;
    if (this.#unproven.size >= MOST_UNPROVEN) this.#forget(this.#unproven.first);
    const peer = new Peer(keyOf(addr));
    this.#peers.set(peer.key, peer);
    this.#unproven.add(peer);
    this.#last = peer;
    return peer;
  }

  /** A peer is being sent to: nobody who makes up addresses pushes it out from here on. */
  know(peer: Peer): void {
    if (peer.known) return;
    this.#unproven.remove(peer);
    peer.known = true;
    this.#known.add(peer);
    // What something is on its way to stays; two are looked at for each that comes, so it is bounded.
    for (let looks = 0; looks < 2 && this.#known.size > MOST_KNOWN; looks++) this.#forgetIdle();
  }

  /** So many blocks more, or fewer, are held for a peer. */
  grown(by: number): void {
    this.#blocks += by;
    while (this.#blocks > MOST_BLOCKS) {
      if (this.#unproven.first !== undefined) this.#forget(this.#unproven.first);
      else if (!this.#forgetNumbers()) break;
    }
  }

  #listOf(peer: Peer): PeerList {
    return peer.known ? this.#known : this.#unproven;
  }

  #forgetIdle(): void {
    const { first } = this.#known;
    if (first?.busy === true) this.#known.use(first);
    else this.#forget(first);
  }

  #forget(peer: Peer | undefined): void {
    if (peer === undefined) return;
    this.#peers.delete(peer.key);
    this.#listOf(peer).remove(peer);
    if (peer === this.#last) this.#last = this.#lastAddr = undefined;
    this.#dropNumbers(peer);
  }

  #forgetNumbers(): boolean {
    for (let peer = this.#known.first; peer !== undefined; peer = peer.next) {
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
